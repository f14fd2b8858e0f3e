//! The scenarios and checks that need more than one module, in one binary.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod accounts_file;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod api;
#[cfg(test)]
mod attack;
#[cfg(test)]
mod births;
#[cfg(test)]
mod canned;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod chart_files;
#[cfg(test)]
mod chart_flags;
#[cfg(test)]
mod chart_goldens;
#[cfg(test)]
mod chart_laws;
#[cfg(test)]
mod chart_mistakes;
#[cfg(test)]
mod chart_pod;
#[cfg(test)]
mod chart_rules;
#[cfg(test)]
mod chart_running;
#[cfg(test)]
mod chart_values;
#[cfg(test)]
mod check;
#[cfg(test)]
mod clock_steps;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod database_manual;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod door;
#[cfg(test)]
mod door_limits;
#[cfg(test)]
mod doubling;
#[cfg(test)]
mod economy;
#[cfg(test)]
mod empty_root;
#[cfg(test)]
mod exporter;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod grafana;
#[cfg(test)]
mod headlines;
#[cfg(test)]
mod hostnames;
#[cfg(test)]
mod http;
#[cfg(test)]
mod image;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod log_lines;
#[cfg(test)]
mod long_reads;
#[cfg(test)]
mod manual;
#[cfg(test)]
#[path = "../../deploy/manual/mod.rs"]
mod manual_source;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod oddities;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod package;
#[cfg(test)]
mod panels;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod program;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod promql;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod real_postgres;
#[cfg(test)]
mod real_prometheus;
#[cfg(test)]
mod release;
#[cfg(test)]
mod reloads;
#[cfg(test)]
mod replica_standing;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod replicas_accounts;
#[cfg(test)]
mod replicas_births;
#[cfg(test)]
mod replicas_database;
#[cfg(test)]
mod replicas_fleet;
#[cfg(test)]
mod replicas_leaders;
#[cfg(test)]
mod replicas_storm;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod slow_reads;
#[cfg(test)]
mod soak;
#[cfg(test)]
#[path = "../../dashboards/source/mod.rs"]
mod source;
#[cfg(test)]
mod state;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod wait;
#[cfg(test)]
mod wall_clock;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod watched;
#[cfg(test)]
mod watched_replicas;
#[cfg(test)]
mod web_config;
#[cfg(test)]
mod written;
