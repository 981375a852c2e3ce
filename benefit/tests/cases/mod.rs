//! Small random networks that can be searched by brute force.

use benefit::{Budget, Problem};
use netspec::{GroupId, Part, Width};
use std::collections::HashMap;

/// SplitMix64: a few lines, and the same numbers everywhere.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// In [0, 1), in steps that sums and decimal numbers hold exactly.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 54) as f64 / 1024.0
    }
}

/// A layer as the test knows it: its own copy of topology and costs.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) inputs: Width,
    pub(crate) outputs: Width,
    pub(crate) coupled: bool,
    pub(crate) gone_with: Vec<GroupId>,
    pub(crate) cells: HashMap<(usize, usize), f64>,
}

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) groups: Vec<(usize, Vec<usize>, Vec<f64>)>,
    pub(crate) layers: Vec<Plain>,
    pub(crate) operators: Vec<(Width, f64)>,
    pub(crate) fixed: f64,
    pub(crate) per_element: f64,
}

pub(crate) fn of(groups: &[usize]) -> Width {
    Width { fixed: 0, parts: groups.iter().map(|&g| Part { group: GroupId(g), repeat: 1 }).collect() }
}

pub(crate) fn fixed(channels: usize) -> Width {
    Width { fixed: channels, parts: Vec::new() }
}

impl Case {
    /// A network of 2 to 5 groups: a chain, with a residual stream, a depthwise layer or a concat now and then, over
    /// stairs with bumps, so that fewer channels may be slower.
    pub(crate) fn random(seed: u64) -> Case {
        Case::random_of(seed, 4)
    }

    /// The same with up to one more group than `more`.
    pub(crate) fn random_of(seed: u64, more: usize) -> Case {
        Case::random_with(seed, more, false)
    }

    /// The same, where some groups may lose all of their channels if there are `branches`.
    pub(crate) fn random_with(seed: u64, more: usize, branches: bool) -> Case {
        let mut random = Random(seed);
        let n = 2 + random.below(more);
        let mut groups: Vec<_> = (0..n).map(|_| random_group(&mut random)).collect();
        for (_, levels, _) in groups.iter_mut().filter(|(_, levels, _)| branches && levels.len() > 1) {
            levels[0] *= random.below(2);
        }
        let mut shapes = vec![(fixed(3), of(&[0]), false)];
        for g in 1..n {
            let input = match random.below(4) {
                0 if g >= 2 => of(&[g - 1, g - 2]),
                1 if g >= 2 => Width { fixed: 0, parts: vec![Part { group: GroupId(g - 1), repeat: 2 }] },
                _ => of(&[g - 1]),
            };
            shapes.push((input, of(&[g]), false));
            match random.below(5) {
                0 => shapes.push((of(&[g]), of(&[g]), true)),
                // A block on a residual stream: back into the group that fed it, or straight round.
                1 => shapes.push((of(&[g]), of(&[g - 1]), false)),
                2 => shapes.push((of(&[g]), of(&[g]), false)),
                _ => {}
            }
        }
        shapes.push((of(&[n - 1]), fixed(10), false));
        let operators = (0..random.below(3)).map(|_| (of(&[random.below(n)]), (random.below(9) * 10) as f64)).collect();
        let (fixed, per_element) = (random.below(200) as f64, random.unit() / 10.0);
        let mut case = Case { groups, layers: Vec::new(), operators, fixed, per_element };
        for (inputs, outputs, coupled) in shapes {
            let cells = case.random_cells(&inputs, &outputs, &mut random);
            // Now and then a layer leads to nothing but the next group's channels.
            let next = case.layers.len() + 1;
            let goes = branches && next < n && random.below(3) == 0;
            let gone_with = if goes { vec![GroupId(next)] } else { vec![] };
            case.layers.push(Plain { inputs, outputs, coupled, gone_with, cells });
        }
        case
    }

    pub(crate) fn random_cells(
        &self,
        inputs: &Width,
        outputs: &Width,
        random: &mut Random,
    ) -> HashMap<(usize, usize), f64> {
        let (step_in, step_out, unit) = (4 << random.below(3), 4 << random.below(3), 5.0 + 20.0 * random.unit());
        let mut cells = HashMap::new();
        for choice in self.choices() {
            let at = (inputs.at(|g| self.width(&choice, g)), outputs.at(|g| self.width(&choice, g)));
            let bump = if random.below(8) == 0 { 1.6 } else { 1.0 };
            let tiles = at.0.div_ceil(step_in) * at.1.div_ceil(step_out);
            cells.entry(at).or_insert(unit * tiles as f64 * bump);
        }
        cells
    }

    pub(crate) fn width(&self, choice: &[usize], g: GroupId) -> usize {
        self.groups[g.0].1[choice[g.0]]
    }

    /// Every choice of levels.
    pub(crate) fn choices(&self) -> Vec<Vec<usize>> {
        let mut choices = vec![Vec::new()];
        for (_, levels, _) in &self.groups {
            let longer = |choice: &Vec<usize>| {
                let choice = choice.clone();
                (0..levels.len()).map(move |level| choice.iter().copied().chain([level]).collect())
            };
            choices = choices.iter().flat_map(longer).collect();
        }
        choices
    }

    pub(crate) fn ns(&self, choice: &[usize]) -> f64 {
        let width = |g: GroupId| self.width(choice, g);
        let runs = |layer: &&Plain| layer.gone_with.iter().all(|&group| width(group) > 0);
        let running = self.layers.iter().filter(runs);
        let cells = running.map(|layer| layer.cells[&(layer.inputs.at(width), layer.outputs.at(width))]);
        let operators = self.operators.iter().map(|(w, elements)| w.at(width) as f64 * elements * self.per_element);
        self.fixed + cells.sum::<f64>() + operators.sum::<f64>()
    }

    pub(crate) fn value(&self, choice: &[usize]) -> f64 {
        self.groups.iter().zip(choice).map(|((_, _, value), &level)| value[level]).sum()
    }

    pub(crate) fn problem(&self) -> Problem {
        let mut builder = Problem::builder();
        for (channels, levels, value) in &self.groups {
            builder.group("group", *channels).levels(levels).value(value);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let name = format!("layer{i}");
            let index = builder.bare_layer(&name, layer.inputs.clone(), layer.outputs.clone(), layer.coupled);
            builder.gone_with(index, &layer.gone_with);
            builder.fill(index, |c_in, c_out| layer.cells[&(c_in, c_out)]);
        }
        for (width, elements) in &self.operators {
            builder.operator("operator", width.clone(), *elements);
        }
        builder.fixed_ns(self.fixed).ns_per_element(self.per_element);
        builder.build().unwrap()
    }
}

pub(crate) fn random_group(random: &mut Random) -> (usize, Vec<usize>, Vec<f64>) {
    let count = 1 + random.below(5);
    let mut levels: Vec<usize> = (0..count).map(|_| 1 + random.below(32)).collect();
    levels.sort_unstable();
    levels.dedup();
    let channels = *levels.last().unwrap();
    let weight = 0.2 + 3.0 * random.unit();
    let value = |&level: &usize| {
        let share = 1.0 - level as f64 / channels as f64;
        let value = -weight * (share * share + 0.1 * random.unit());
        if share > 0.0 { (value * 1024.0).round() / 1024.0 } else { 0.0 }
    };
    let value = levels.iter().map(value).collect();
    (channels, levels, value)
}

/// A budget between nothing and everything, now and then exactly a reachable cost.
pub(crate) fn random_budget(case: &Case, seed: u64) -> Budget {
    let mut random = Random(seed ^ 0xB0D6);
    let choices = case.choices();
    if random.below(4) == 0 {
        let problem = case.problem();
        return Budget::ns(problem.cost(&problem.levels(&choices[random.below(choices.len())]).unwrap()).ns);
    }
    Budget::ratio(0.2 + 0.85 * random.unit())
}
