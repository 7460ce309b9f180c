//! Every format of a check.
