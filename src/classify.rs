//! A line's category and description to the labels that are counted.
