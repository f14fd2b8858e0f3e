//! The scenarios and checks that need more than one module, in one binary.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tools;
