//! Values that are computed once.

use benefit::{Value, ValueCurve, ValueError, ValueKind};
use netspec::GroupId;
use std::sync::OnceLock;

/// Computes another value's curves once for each group: some take seconds, and every round of planning needs them again.
pub(crate) struct Remembered<'a> {
    value: Box<dyn Value + 'a>,
    curves: Vec<OnceLock<Result<ValueCurve, ValueError>>>,
}

impl<'a> Remembered<'a> {
    pub(crate) fn new(value: Box<dyn Value + 'a>, groups: usize) -> Remembered<'a> {
        Remembered { value, curves: vec![OnceLock::new(); groups] }
    }
}

impl Value for Remembered<'_> {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        match self.curves.get(group.0) {
            Some(curve) => curve.get_or_init(|| self.value.curve(group)).clone(),
            None => self.value.curve(group),
        }
    }

    fn kind(&self) -> ValueKind {
        self.value.kind()
    }

    fn name(&self) -> String {
        self.value.name()
    }
}
