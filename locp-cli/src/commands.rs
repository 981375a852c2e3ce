//! One function per subcommand: flags in, report out.

use crate::args::{
    Align, Cli, Command, Format, Frontier, Generate, Global, Making, Planner, Planning, Progress as ProgressFlag,
    Reach, Search, Steps, Table, Worth,
};
use crate::progress::Bars;
use crate::{human, output};
use anyhow::Result;
use clap::CommandFactory;
use locp::netspec::{CacheState, ConvSpec, DType, InputSizes};
use locp::report::{AccuracyReport, LintReport};
use locp::{
    Budget, Calib, Cancel, Comparison, Constraints, Counts, Engine, Error, HeldOut, Limits, Magnitude, Model, Options,
    Pipeline, Preprocess, SearchKind, Shard, SweepOptions, Value, Watch,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What every command needs.
struct Run<'a> {
    global: &'a Global,
    bars: Bars,
    cancel: &'a Cancel,
}

/// Runs the command; its exit code, or why there is no result.
pub(crate) fn run(cli: &Cli, cancel: &Cancel) -> Result<ExitCode> {
    let global = &cli.global;
    let is_drawn = global.progress == ProgressFlag::Auto && !global.quiet;
    let run = Run { global, bars: Bars::new(is_drawn, !global.quiet), cancel };
    match &cli.command {
        Command::Doctor => run.doctor(),
        Command::Inspect { model } => run.inspect(model),
        Command::Measure { model, shard, reach } => run.measure(model, *shard, reach),
        Command::Steps(steps) => run.steps(steps),
        Command::Explain { model, layer, reach } => run.explain(model, layer.as_deref(), reach),
        Command::Lint { model, device, machine, strict, reach } => {
            run.lint(model, device, machine.as_deref(), *strict, reach)
        }
        Command::Plan { model, planning, output, problem_out } => {
            run.plan(model, planning, output, problem_out.as_deref())
        }
        Command::Frontier(frontier) => run.frontier(frontier),
        Command::Prune { model, planning, output, plan_out, images, labels } => {
            let held_out = images.as_deref().map(|images| (images, labels.as_deref()));
            run.prune(model, planning, output, plan_out.as_deref(), held_out)
        }
        Command::Damage { model, calib, pictures, prune_residual, output } => {
            let how = pictures.of([calib.as_path()])?;
            run.damage(model, (calib, how), *prune_residual, output)
        }
        Command::Align(args) => run.align(args),
        Command::Apply { model, plan, output, calib, pictures, dry_run } => {
            let how = pictures.of(calib.as_deref())?;
            let calib = calib.as_deref().map(|calib| (calib, how));
            run.apply(model, plan, output.as_deref().filter(|_| !dry_run), calib)
        }
        Command::Verify { dense, pruned, at_most } => run.verify(dense, pruned, *at_most),
        Command::Bench { specs, cache } => run.bench(specs, (*cache).into()),
        Command::Accuracy { model, images, pictures, labels, dense } => {
            let how = pictures.of([images.as_path()])?;
            run.accuracy(model, (images, how), labels.as_deref(), dense.as_deref())
        }
        Command::Table { what } => run.table_command(what),
        Command::Generate { what } => generate(what),
    }
}

impl Run<'_> {
    /// Prints a result in the form that was asked for.
    fn show<R: Serialize>(&self, report: &R, human: fn(&R) -> String) -> Result<ExitCode> {
        match self.global.format {
            Format::Json => output::json(report)?,
            Format::Human => output::text(&human(report))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn watch(&self) -> Watch<'_> {
        Watch { progress: &self.bars, cancel: self.cancel.clone() }
    }

    fn engine(&self) -> Result<Engine, Error> {
        locp::engine(&self.global.engine, self.global.threads.into(), self.global.seed)
    }

    fn open(&self, model: &Path) -> Result<Model, Error> {
        let mut sizes = InputSizes::new(self.global.input.iter().cloned());
        sizes.batch = self.global.batch.map(usize::from);
        let model = Model::open(model, sizes)?;
        Ok(match self.global.dtype {
            Some(dtype) => model.computed_in(dtype.into()),
            None => model,
        })
    }

    /// With the constraints that were asked for.
    fn open_to_plan(&self, model: &Path, making: &Making) -> Result<Model, Error> {
        Constraints::from(&making.rules).apply(self.open(model)?, making.reach.prune_residual)
    }

    fn table(&self) -> PathBuf {
        self.global.table.clone().unwrap_or_else(locp::default_path)
    }

    /// A pipeline on an engine and the user's table, by these options.
    fn pipeline_by(&self, engine: Engine, sweeps: SweepOptions, limits: Limits) -> Result<Pipeline<'_>, Error> {
        let mut options = Options::default();
        options.seed = self.global.seed;
        options.limits = limits;
        options.sweeps = sweeps;
        let table = locp::open(&self.table(), &engine.machine())?;
        Ok(Pipeline::new(engine, table).options(options).watch(self.watch()))
    }

    /// The same for what plans nothing.
    fn measuring(&self, engine: Engine, sweeps: SweepOptions) -> Result<Pipeline<'_>, Error> {
        self.pipeline_by(engine, sweeps, Limits::default())
    }

    /// The table and a recording are inputs that no result may replace.
    fn check_outputs(&self, outputs: &[&Path], inputs: &[&Path]) -> Result<(), Error> {
        let table = self.table();
        let recorded = self.global.engine.strip_prefix("recorded:").map(Path::new);
        let inputs: Vec<&Path> = inputs.iter().copied().chain([table.as_path()]).chain(recorded).collect();
        locp::check_outputs(outputs, &inputs)
    }

    fn doctor(&self) -> Result<ExitCode> {
        self.show(&locp::doctor(self.global.threads.into(), &self.table()), human::doctor)
    }

    fn inspect(&self, model: &Path) -> Result<ExitCode> {
        self.show(&locp::inspect(&self.open(model)?), human::inspect)
    }

    /// What is swept, the same for every command, so that one fills the table for the next.
    fn sweeps(&self, reach: &Reach) -> SweepOptions {
        let mut options = SweepOptions::default();
        options.seed = self.global.seed;
        options.min_share = reach.min_share;
        options.residual = reach.prune_residual;
        options
    }

    fn measure(&self, model: &Path, shard: Option<Shard>, reach: &Reach) -> Result<ExitCode> {
        let (model, engine) = (self.open(model)?, self.engine()?);
        let report = self.measuring(engine, self.sweeps(reach))?.measure(&model, shard)?;
        self.show(&report, human::measure)
    }

    fn steps(&self, args: &Steps) -> Result<ExitCode> {
        let plot = args.plot.as_deref();
        self.check_outputs(plot.as_slice(), &[&args.model])?;
        let (model, engine) = (self.open(&args.model)?, self.engine()?);
        let mut options = self.sweeps(&args.reach);
        options.audits = args.audits;
        options.search = match args.search {
            Search::ThreePoint => SearchKind::ThreePoint,
            Search::Grid => SearchKind::Grid,
            Search::Exhaustive => SearchKind::Exhaustive,
        };
        let layer = args.layer.as_deref();
        let report = self.measuring(engine, options)?.steps(&model, layer)?;
        if let Some(plot) = plot {
            let svg = locp::plot::svg(&report.layers, &human::engine_line(&report.header));
            locp::write_bytes(plot, svg.as_bytes())?;
        }
        self.show(&report, human::steps)
    }

    fn explain(&self, model: &Path, layer: Option<&str>, reach: &Reach) -> Result<ExitCode> {
        let (model, engine) = (self.open(model)?, self.engine()?);
        let report = self.measuring(engine, self.sweeps(reach))?.explain(&model, layer)?;
        self.show(&report, human::explain)
    }

    fn lint(&self, model: &Path, device: &str, machine: Option<&str>, strict: bool, reach: &Reach) -> Result<ExitCode> {
        let engine = locp::engine_without_device(device, machine, self.global.seed)?;
        let model = self.open(model)?;
        let explained = self.measuring(engine, self.sweeps(reach))?.explain(&model, None)?;
        let report = LintReport::from(explained);
        self.show(&report, human::lint)?;
        Ok(if strict && report.has_dominated() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    fn plan(&self, model: &Path, planning: &Planning, output: &Path, problem_out: Option<&Path>) -> Result<ExitCode> {
        let budget: Budget = planning.latency.parse().map_err(Error::from)?;
        let outputs: Vec<&Path> = [output].into_iter().chain(problem_out).collect();
        let inputs = planning.making.inputs(model);
        planning.making.pictures.of(inputs.iter().copied())?;
        self.check_outputs(&outputs, &inputs)?;
        let (model, engine) = (self.open_to_plan(model, &planning.making)?, self.engine()?);
        let planned = self.pipeline(engine, &model, &planning.making)?.plan(&model, budget)?;
        locp::write_plan(output, &planned.report)?;
        if let Some(problem_out) = problem_out {
            locp::write_problem(problem_out, &planned.problem)?;
        }
        self.show(&planned.report, human::plan)
    }

    fn frontier(&self, args: &Frontier) -> Result<ExitCode> {
        let plot = args.plot.as_deref();
        let inputs = args.making.inputs(&args.model);
        args.making.pictures.of(inputs.iter().copied())?;
        self.check_outputs(plot.as_slice(), &inputs)?;
        let (model, engine) = (self.open_to_plan(&args.model, &args.making)?, self.engine()?);
        let steps = f64::from(args.points - 1);
        let shares: Vec<f64> =
            (0..args.points).map(|i| args.from + (args.to - args.from) * f64::from(i) / steps).collect();
        let report = self.pipeline(engine, &model, &args.making)?.frontier(&model, &shares)?;
        if let Some(plot) = plot {
            let svg = locp::plot::frontier_svg(&report, &human::engine_line(&report.header));
            locp::write_bytes(plot, svg.as_bytes())?;
        }
        self.show(&report, human::frontier)
    }

    fn prune(
        &self,
        model: &Path,
        planning: &Planning,
        output: &Path,
        plan_out: Option<&Path>,
        held_out: Option<(&Path, Option<&Path>)>,
    ) -> Result<ExitCode> {
        let budget: Budget = planning.latency.parse().map_err(Error::from)?;
        let mut inputs = planning.making.inputs(model);
        inputs.extend(held_out.iter().flat_map(|&(images, labels)| [Some(images), labels]).flatten());
        let how = planning.making.pictures.of(inputs.iter().copied())?;
        // Where the model keeps data outside its file, the result has a file of its own for them.
        let data = data_file(output);
        let outputs: Vec<&Path> = [output, &data].into_iter().chain(plan_out).collect();
        self.check_outputs(&outputs, &inputs)?;
        let (model, engine) = (self.open_to_plan(model, &planning.making)?, self.engine()?);
        if let (Some(calib), Some((images, _))) = (&planning.making.calib, held_out) {
            locp::check_apart(calib, images)?;
        }
        let read = |(images, labels)| HeldOut::read(images, labels, &model, how);
        let held_out = held_out.map(read).transpose()?;
        // Labels that do not fit the model are found before minutes are spent.
        held_out.iter().try_for_each(|held_out| held_out.check(&*engine, model.path(), model.batch()))?;
        let mut pipeline = self.pipeline(engine, &model, &planning.making)?;
        let pruned = pipeline.run(&model, budget)?;
        let source = pipeline.measurer().source();
        let compare = |held_out: HeldOut| held_out.compare(source, &model, pruned.path(), &self.watch());
        let compared = held_out.map(compare).transpose()?;
        let report = locp::prune_report(&pruned, pipeline.measurer(), output, compared);
        pruned.write(output)?;
        if let Some(plan_out) = plan_out {
            locp::write_plan(plan_out, &report.plan)?;
        }
        self.show(&report, human::prune)
    }

    fn calib(&self, images: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Calib, Error> {
        Ok(Calib::read(images, model, how)?.seed(self.global.seed))
    }

    fn damage(
        &self,
        model: &Path,
        (calib, how): (&Path, Option<&Preprocess>),
        prune_residual: bool,
        output: &Path,
    ) -> Result<ExitCode> {
        self.check_outputs(&[output], &[model, calib])?;
        let (model, engine) = (self.open(model)?, self.engine()?);
        let calib = self.calib(calib, &model, how)?;
        let report = locp::write_damage(&*engine, &model, &calib, prune_residual, output, &self.watch())?;
        self.show(&report, human::damage)
    }

    fn align(&self, args: &Align) -> Result<ExitCode> {
        let inputs: Vec<&Path> =
            [&args.model, &args.keep].into_iter().chain(&args.worth.scores).map(PathBuf::as_path).collect();
        self.check_outputs(&[&args.output], &inputs)?;
        let (model, engine) = (self.open(&args.model)?, self.engine()?);
        let counts = Counts::read(&args.keep, &model)?;
        let value = self.value(&model, &args.worth)?;
        let mut pipeline = self.measuring(engine, SweepOptions::default())?.value(value);
        let report = pipeline.align(&model, &counts, args.max_loss)?;
        locp::write_aligned(&args.output, &report)?;
        self.show(&report, human::align)
    }

    fn apply(
        &self,
        model: &Path,
        plan: &Path,
        output: Option<&Path>,
        calib: Option<(&Path, Option<&Preprocess>)>,
    ) -> Result<ExitCode> {
        let data = output.map(data_file);
        let outputs: Vec<&Path> = output.into_iter().chain(data.as_deref()).collect();
        let inputs: Vec<&Path> = [model, plan].into_iter().chain(calib.map(|(calib, _)| calib)).collect();
        self.check_outputs(&outputs, &inputs)?;
        let model = self.open(model)?;
        let plan = locp::read_plan(plan, &model)?;
        let report = match output.zip(calib) {
            Some((output, (calib, how))) => {
                let calib = self.calib(calib, &model, how)?;
                locp::apply_fitted(
                    &model,
                    &plan,
                    output,
                    &*locp::runner(&*self.engine()?, "calibration")?,
                    &calib,
                    &self.watch(),
                )?
            }
            None => locp::apply(&model, &plan, output)?,
        };
        self.show(&report, human::apply)
    }

    fn verify(&self, dense: &Path, pruned: &Path, at_most: f64) -> Result<ExitCode> {
        let (dense, pruned, mut engine) = (self.open(dense)?, self.open(pruned)?, self.engine()?);
        let report = locp::verify(&mut *engine, [&dense, &pruned], at_most, &self.watch())?;
        self.show(&report, human::verify)?;
        Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn bench(&self, specs: &[ConvSpec], cache: CacheState) -> Result<ExitCode> {
        let as_asked = |spec: &ConvSpec| match (self.global.batch, self.global.dtype) {
            (None, None) => spec.clone(),
            (batch, dtype) => {
                let mut spec = spec.clone();
                spec.batch = batch.map_or(spec.batch, usize::from);
                if let Some(dtype) = dtype {
                    (spec.dtype, spec.layout) = (dtype.into(), DType::from(dtype).usual_layout());
                }
                spec
            }
        };
        let specs: Vec<ConvSpec> = specs.iter().map(as_asked).collect();
        let report = locp::bench(&mut *self.engine()?, &specs, cache, self.global.seed, &self.watch())?;
        self.show(&report, human::bench)?;
        // What could not be timed is an error also where others could; their figures are shown all the same.
        let is_whole = report.rows.iter().all(|row| row.error.is_none());
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }

    fn accuracy(
        &self,
        path: &Path,
        (images, how): (&Path, Option<&Preprocess>),
        labels: Option<&Path>,
        dense: Option<&Path>,
    ) -> Result<ExitCode> {
        let (model, engine, watch) = (self.open(path)?, self.engine()?, self.watch());
        let held_out = HeldOut::read(images, labels, &model, how)?;
        let (accuracy, agreement) = match dense {
            Some(dense) => {
                let dense = self.open(dense)?;
                let Comparison { accuracy, agreement, .. } = held_out.compare(&*engine, &dense, path, &watch)?;
                (accuracy.map(|[_, own]| own), Some(agreement))
            }
            None => (held_out.accuracy(&*engine, path, model.batch(), &watch)?, None),
        };
        let report = AccuracyReport::new(&*engine, &model, accuracy, agreement);
        self.show(&report, human::accuracy)
    }

    fn table_command(&self, what: &Table) -> Result<ExitCode> {
        let table = self.table();
        match what {
            Table::Info => self.show(&locp::table_info(&table)?, human::table_info),
            Table::Export { output } => {
                self.check_outputs(&[output], &[])?;
                self.show(&locp::table_export(&table, output)?, human::transfer)
            }
            Table::SetAside => self.show(&locp::table_set_aside(&table)?, human::set_aside),
            Table::Import { file } => self.show(&locp::table_import(&table, file)?, human::transfer),
            Table::Merge { into, from } => {
                let from: Vec<&Path> = from.iter().map(PathBuf::as_path).collect();
                self.show(&locp::table_merge(into, &from)?, human::transfer)
            }
            Table::Diff { first, second, machine } => {
                let of_first = machine.first().map(String::as_str);
                let of_second = machine.get(1).map(String::as_str).or(of_first);
                let report =
                    locp::table_diff([first, second], [of_first, of_second], SweepOptions::default().tolerance)?;
                self.show(&report, human::table_diff)
            }
        }
    }

    fn value<'m>(&self, model: &'m Model, worth: &Worth) -> Result<Box<dyn Value + 'm>, Error> {
        let scope = worth.scope();
        if worth.scores.is_empty() {
            let criterion = worth.criterion(self.global.seed);
            return Ok(Box::new(Magnitude::new(model.network(), model.onnx(), criterion, scope)));
        }
        Ok(Box::new(locp::read_scores(&worth.scores, model, scope)?))
    }

    fn pipeline<'e>(&'e self, engine: Engine, model: &'e Model, making: &Making) -> Result<Pipeline<'e>, Error> {
        let branches = making.calib.is_some() && !making.keep_branches;
        let Reach { min_share, prune_residual } = making.reach;
        let limits = Limits::default().min_share(min_share).prune_residual(prune_residual);
        let mut pipeline = self.pipeline_by(engine, self.sweeps(&making.reach), limits.remove_branches(branches))?;
        if making.calib.is_none() || making.worth.is_said() {
            pipeline = pipeline.value(self.value(model, &making.worth)?);
        }
        if let Some(calib) = &making.calib {
            pipeline = pipeline.calib(self.calib(calib, model, making.pictures.preprocess.as_ref())?);
        }
        Ok(match making.planner {
            Planner::Exact => pipeline,
            Planner::Knapsack => pipeline.planner(locp::Rounded::new(locp::Knapsack::default())),
            Planner::Global => pipeline.planner(locp::Rounded::new(locp::Global)),
            Planner::Uniform => pipeline.planner(locp::Rounded::new(locp::Uniform)),
        })
    }
}

/// Where data go that a model at this path keeps outside its file.
fn data_file(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".data");
    name.into()
}

fn generate(what: &Generate) -> Result<ExitCode> {
    let mut command = Cli::command();
    let mut text = Vec::new();
    match what {
        Generate::Man => clap_mangen::Man::new(command).render(&mut text)?,
        Generate::Completions { shell } => clap_complete::generate(*shell, &mut command, "locp", &mut text),
    }
    output::bytes(&text)?;
    Ok(ExitCode::SUCCESS)
}
