//! Convolutions in double precision on the host, to check every other one against.
