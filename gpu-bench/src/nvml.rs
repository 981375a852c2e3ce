//! Clocks, temperature and throttling, as the driver reports them.
