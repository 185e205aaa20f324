//! A limiter over all hosts: asks Redis, or spends a share taken ahead; and what it says when the store is gone.
