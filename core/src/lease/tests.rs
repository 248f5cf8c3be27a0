//! The table of transitions, and each rule by itself.
