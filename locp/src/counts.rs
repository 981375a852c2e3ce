//! Channels to keep as another pruner says them: by the name of a layer, a module or a weight.

use crate::members::names;
use crate::{Error, Fault, Model, read_plan};
use netspec::{ChannelGroup, GroupId};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What each group of a model is asked to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    widths: Vec<usize>,
    kept: Vec<Option<Vec<usize>>>,
}

/// Under a name there is a number of channels, or the list of those that stay.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Count(usize),
    Channels(Vec<usize>),
}

impl Counts {
    /// Reads a JSON file that maps names to numbers of channels, or to the channels that stay:
    /// `{"layer1.0.conv1": 37, "layer1.0.conv2.weight": [0, 2, 3]}`; or a plan that was made for this model.
    ///
    /// A name is that of a group (as [`inspect`](crate::inspect) lists it), of a layer that computes it, of its weight, or of its
    /// module. Groups that are not named keep all their channels.
    pub fn read(path: &Path, model: &Model) -> Result<Counts, Error> {
        let bad = |fault: Fault| Error::Plan { path: path.to_owned(), fault };
        let text = std::fs::read(path).map_err(|e| Error::read(path, e))?;
        let groups = &model.network().groups;
        let mut counts =
            Counts { widths: groups.iter().map(|group| group.channels).collect(), kept: vec![None; groups.len()] };
        let json: serde_json::Value =
            serde_json::from_slice(&text).map_err(|e| bad(format!("it is not JSON ({e})").into()))?;
        if json.get("schema").is_some() {
            for group in read_plan(path, model)?.groups {
                counts.set(group.id, Kept::Channels(group.keep));
            }
            return Ok(counts);
        }
        let expected = "expected names with numbers of channels, {\"conv1\": 48}, or a plan";
        let map: BTreeMap<String, Kept> =
            serde_json::from_value(json).map_err(|e| bad(Fault::new(format!("it holds no counts ({e})"), expected)))?;
        let mut named: BTreeMap<GroupId, String> = BTreeMap::new();
        for (name, kept) in map {
            let group = group_of(&name, model).map_err(bad)?;
            kept.check(&name, group).map_err(bad)?;
            let width = kept.width();
            if let Some(first) = named.get(&group.id).filter(|_| counts.widths[group.id.0] != width) {
                let other = counts.widths[group.id.0];
                let what = format!(
                    "`{first}` keeps {other} channels and `{name}` {width}, but they are of one group and must keep the same"
                );
                return Err(bad(Fault::new(what, "correct one of them")));
            }
            counts.set(group.id, kept);
            named.insert(group.id, name);
        }
        Ok(counts)
    }

    fn set(&mut self, group: GroupId, kept: Kept) {
        self.widths[group.0] = kept.width();
        if let Kept::Channels(channels) = kept {
            self.kept[group.0] = Some(channels);
        }
    }

    /// The width that a group was asked to have.
    pub fn width(&self, group: GroupId) -> usize {
        self.widths[group.0]
    }

    /// The channels that were asked to stay, where these were said.
    pub fn kept(&self, group: GroupId) -> Option<&[usize]> {
        self.kept[group.0].as_deref()
    }
}

impl Kept {
    fn width(&self) -> usize {
        match self {
            Kept::Count(count) => *count,
            Kept::Channels(channels) => channels.len(),
        }
    }

    fn check(&self, name: &str, group: &ChannelGroup) -> Result<(), Fault> {
        if self.width() == 0 {
            let channels = group.channels;
            let what = format!("`{name}` cannot keep 0 of {channels} channels");
            return Err(Fault::new(what, format!("give it from 1 to {channels}")));
        }
        if let Err(why) = group.allows(self.width()) {
            return Err(format!("`{name}` cannot keep {} of {} channels: {why}", self.width(), group.channels).into());
        }
        let Kept::Channels(channels) = self else { return Ok(()) };
        let is_ascending = channels.windows(2).all(|pair| pair[0] < pair[1]);
        if !is_ascending || channels.last().is_some_and(|&last| last >= group.channels) {
            let channels = group.channels;
            let what = format!("the channels that `{name}` keeps must ascend and be below {channels}");
            return Err(Fault::new(what, "sort them"));
        }
        Ok(())
    }
}

/// The one group whose channels what is called so computes.
fn group_of<'m>(name: &str, model: &'m Model) -> Result<&'m ChannelGroup, Fault> {
    let network = model.network();
    let fitting = network.groups.iter().filter(|group| names(network, group).any(|own| own == name));
    match fitting.collect::<Vec<_>>().as_slice() {
        [group] => Ok(group),
        [] => {
            let what = format!("it names `{name}`, which computes no channel group");
            Err(Fault::new(what, "`inspect` lists their names"))
        }
        [first, second, ..] => {
            let (first, second) = (&first.name, &second.name);
            let what = format!("it names `{name}`, which computes several groups (`{first}`, `{second}`)");
            Err(Fault::new(what, "name the groups themselves"))
        }
    }
}
