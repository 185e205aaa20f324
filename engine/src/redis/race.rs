//! Two things are waited for, and one comes first. Owns nothing.
//! Never polls the second when the first is ready: what is named first goes first.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Which one it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First<A, B> {
    /// The one named first.
    This(A),
    /// The other.
    That(B),
}

/// Wait for both, and drop the one that is not done. So both must be such that nothing is lost by that.
pub(super) async fn first<A, B>(this: impl Future<Output = A>, that: impl Future<Output = B>) -> First<A, B> {
    let (mut this, mut that) = (pin!(this), pin!(that));
    poll_fn(|context| {
        if let Poll::Ready(done) = this.as_mut().poll(context) {
            return Poll::Ready(First::This(done));
        }
        that.as_mut().poll(context).map(First::That)
    })
    .await
}
