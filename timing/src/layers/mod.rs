//! Layers around a latency source, each a latency source again.

/// The methods of [`LatencySource`](crate::LatencySource) that a layer with a field `source` passes on.
macro_rules! forward_to_source {
    () => {
        fn machine(&self) -> netspec::Machine {
            self.source.machine()
        }

        fn forget(&mut self) {
            self.source.forget();
        }

        fn models(&self) -> Option<&dyn crate::ModelBackend> {
            self.source.models()
        }

        fn chain(
            &self,
            specs: &[netspec::ConvSpec],
        ) -> Option<Result<Box<dyn crate::Prepared + Send>, crate::TimingError>> {
            self.source.chain(specs)
        }

        fn drift(&self) -> crate::DriftReport {
            self.source.drift()
        }
    };
}

mod counted;
mod limited;

pub use counted::{Counted, Counts};
pub use limited::Limited;
