//! Three-point discrimination: what three latencies tell about an interval.

/// What an interval looks like by its left, middle and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Shape {
    /// All three equal.
    Tread,
    /// Middle and right equal, left different: a riser (up or down) in the left half.
    RiserLeft,
    /// Left and middle equal, right different: a riser (up or down) in the right half.
    RiserRight,
    /// No two neighbors equal and the ends different, or neighbors equal and the ends different: it goes on in both
    /// halves.
    Slope,
    /// The ends equal, the middle slower.
    Bump,
    /// The ends equal, the middle faster.
    Dip,
}

impl Shape {
    /// Whether a riser can hide in the left half, and in the right.
    ///
    /// ```
    /// use stairstep::Shape;
    /// assert_eq!(Shape::Tread.risers(), [false, false]);
    /// assert_eq!(Shape::RiserRight.risers(), [false, true]);
    /// assert_eq!(Shape::Bump.risers(), [true, true]);
    /// ```
    pub fn risers(self) -> [bool; 2] {
        match self {
            Shape::Tread => [false, false],
            Shape::RiserLeft => [true, false],
            Shape::RiserRight => [false, true],
            Shape::Slope | Shape::Bump | Shape::Dip => [true, true],
        }
    }
}

/// Classifies an interval by the latencies at its left, middle and right.
///
/// Two latencies a and b are equal if |ln(b / a)| <= ln(1 + `tolerance`): the rule is symmetric, and the same
/// for nanoseconds and milliseconds.
/// Equality within a tolerance is not transitive; where neighbors are equal and the ends are not, it is a [`Shape::Slope`].
///
/// ```
/// use stairstep::{Shape, classify};
/// assert_eq!(classify(100.0, 101.0, 100.5, 0.03), Shape::Tread);
/// assert_eq!(classify(100.0, 100.0, 150.0, 0.03), Shape::RiserRight);
/// assert_eq!(classify(100.0, 150.0, 150.0, 0.03), Shape::RiserLeft);
/// assert_eq!(classify(100.0, 120.0, 150.0, 0.03), Shape::Slope);
/// // Fewer channels can be slower.
/// assert_eq!(classify(266.0, 367.0, 270.0, 0.03), Shape::Bump);
/// assert_eq!(classify(367.0, 331.0, 366.0, 0.03), Shape::Dip);
/// ```
pub fn classify(left: f64, middle: f64, right: f64, tolerance: f64) -> Shape {
    let equal = |a: f64, b: f64| (b / a).ln().abs() <= tolerance.ln_1p();
    match (equal(left, middle), equal(middle, right), equal(left, right)) {
        (true, true, true) => Shape::Tread,
        (false, true, _) => Shape::RiserLeft,
        (true, false, _) => Shape::RiserRight,
        (true, true, false) | (false, false, false) => Shape::Slope,
        (false, false, true) if middle > left => Shape::Bump,
        (false, false, true) => Shape::Dip,
    }
}
