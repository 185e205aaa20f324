//! Permits over all hosts: leases in Redis with server time. Owns what this process holds of them.
