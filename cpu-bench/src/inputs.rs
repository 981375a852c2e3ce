//! The shapes of a whole model's inputs.

use netspec::InputSizes;

/// Returns the shape of the input `name`, one of `inputs`, whose dims in the file are `dims`, free ones `None`: as it is
/// stated, else with the batch for a free first dim. Engines give no dims also if the file states no shape.
pub(crate) fn shape(
    sizes: &InputSizes,
    name: &str,
    inputs: usize,
    dims: &[Option<usize>],
) -> Result<Vec<usize>, String> {
    let batch = sizes.batch.unwrap_or(1);
    let by_batch = || -> Vec<Option<usize>> {
        let first = dims.first().map(|first| first.or(Some(batch)));
        first.into_iter().chain(dims.iter().skip(1).copied()).collect()
    };
    let stated = sizes.of(name, inputs);
    if dims.is_empty() {
        return Ok(stated.unwrap_or_default().to_vec());
    }
    let stated = stated.map(|stated| stated.iter().map(|&dim| Some(dim)).collect());
    let shape = stated.unwrap_or_else(by_batch);
    if shape.len() != dims.len() {
        return Err(format!("the input `{name}` has {} axes, and a shape of {} is stated", dims.len(), shape.len()));
    }
    let mut known = Vec::new();
    for (axis, (fixed, size)) in dims.iter().zip(shape).enumerate() {
        match (fixed, size) {
            (Some(fixed), Some(size)) if *fixed != size => {
                return Err(format!("axis {axis} of the input `{name}` is fixed to {fixed}, and {size} is stated"));
            }
            (_, Some(size)) => known.push(size),
            (_, None) => {
                return Err(format!("axis {axis} of the input `{name}` is dynamic, and no size is stated for it"));
            }
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::shape;
    use netspec::{InputShape, InputSizes};

    #[test]
    fn what_is_stated_fills_what_is_free_and_contradicts_nothing() {
        let sizes = InputSizes::new([InputShape::named("a", vec![2, 3, 8, 6])]).batch(4);
        let of = |name: &str, dims: &[Option<usize>]| shape(&sizes, name, 2, dims);
        assert_eq!(of("a", &[None, Some(3), None, None]), Ok(vec![2, 3, 8, 6]));
        assert_eq!(of("b", &[None, Some(5)]), Ok(vec![4, 5]));
        assert_eq!(of("b", &[Some(7)]), Ok(vec![7]));
        assert_eq!([of("a", &[]), of("b", &[])], [Ok(vec![2, 3, 8, 6]), Ok(vec![])]);
        for (name, dims, said) in [
            ("a", &[None, Some(4), None, None][..], "axis 1 of the input `a` is fixed to 4, and 3 is stated"),
            ("a", &[None], "1 axes, and a shape of 4"),
            ("b", &[None, None], "axis 1 of the input `b` is dynamic"),
        ] {
            let error = of(name, dims).expect_err("it does not fit");
            assert!(error.contains(said), "{error}");
        }
        // Without a name a shape is that of the only input.
        let sizes = InputSizes::new([InputShape { name: None, dims: vec![1, 9] }]);
        assert_eq!(shape(&sizes, "any", 1, &[None, None]), Ok(vec![1, 9]));
        assert!(shape(&sizes, "any", 2, &[None, None]).is_err());
    }
}
