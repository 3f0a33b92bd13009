//! Figures side by side: as a table, and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::numbers::{median, text};
use crate::stage::Outcome;
use crate::tally::Faults;

/// What one scenario came to on all servers.
pub(crate) struct Report {
    pub(crate) scenario: String,
    /// The servers' names; the first is the reference.
    pub(crate) columns: Vec<String>,
    /// What the rounds brought on each server.
    pub(crate) outcomes: Vec<Vec<Outcome>>,
    /// Runs that came to nothing.
    pub(crate) errors: Vec<String>,
}

/// A figure on all servers, with the values of all rounds.
struct Row {
    name: String,
    values: Vec<Vec<f64>>,
}

impl Report {
    pub(crate) fn new(scenario: String, columns: Vec<String>) -> Self {
        let outcomes = columns.iter().map(|_| Vec::new()).collect();
        Self {
            scenario,
            columns,
            outcomes,
            errors: Vec::new(),
        }
    }

    pub(crate) fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        for outcome in self.outcomes.iter().flatten() {
            sum.add(outcome.faults);
        }
        sum
    }

    /// Whether all ran and each message came once and in order.
    pub(crate) fn is_good(&self) -> bool {
        self.errors.is_empty() && !self.faults().any()
    }

    /// Others were so busy in some round that a server's figures say little.
    fn is_doubtful(&self, column: usize) -> bool {
        let mut loads = self.outcomes[column]
            .iter()
            .flat_map(|outcome| &outcome.loads);
        loads.any(|load| load.is_doubtful())
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for (column, outcomes) in self.outcomes.iter().enumerate() {
            for figure in outcomes.iter().flat_map(|outcome| &outcome.figures) {
                let name = match figure.unit {
                    "" => figure.name.to_owned(),
                    "/s" => format!("{} per second", figure.name),
                    unit => format!("{}, {unit}", figure.name),
                };
                let at = rows
                    .iter()
                    .position(|row| row.name == name)
                    .unwrap_or_else(|| {
                        let values = vec![Vec::new(); self.columns.len()];
                        rows.push(Row { name, values });
                        rows.len() - 1
                    });
                rows[at].values[column].push(figure.value);
            }
        }
        rows
    }

    /// How busy generator and others were, at most in a round.
    fn busy(&self) -> [Row; 2] {
        type Part = fn(&crate::meter::Load) -> f64;
        let parts: [(&str, Part); 2] = [
            ("(generator busy, %)", |load| load.generator),
            ("(others busy, %)", |load| load.others),
        ];
        parts.map(|(name, part)| {
            let most = |outcome: &Outcome| outcome.loads.iter().map(part).fold(0.0, f64::max);
            let values = |outcomes: &Vec<Outcome>| outcomes.iter().map(most).collect();
            Row {
                name: name.to_owned(),
                values: self.outcomes.iter().map(values).collect(),
            }
        })
    }

    /// Writes the table, and whatever went wrong.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "\n{:<34}", self.scenario)?;
        for (column, name) in self.columns.iter().enumerate() {
            write!(out, "{name:>13} ")?;
            if column > 0 {
                write!(out, "{:>7}", "ratio")?;
            }
        }
        writeln!(out)?;
        for row in self.rows() {
            self.write_row(out, &row, true)?;
        }
        for row in self.busy() {
            self.write_row(out, &row, false)?;
        }
        let is_full = |load: &crate::meter::Load| load.generator > 90.0 && load.seconds > 0.1;
        for (column, name) in self.columns.iter().enumerate() {
            if self.outcomes[column]
                .iter()
                .flat_map(|outcome| &outcome.loads)
                .any(is_full)
            {
                writeln!(
                    out,
                    "  {name}: the generator was at its limit, so \"per second\" is at least that"
                )?;
            }
        }
        if (0..self.columns.len()).any(|column| self.is_doubtful(column)) {
            writeln!(out, "  ~ doubtful: others were busy beside it")?;
        }
        if self.faults().any() {
            for (column, name) in self.columns.iter().enumerate() {
                for (round, outcome) in self.outcomes[column].iter().enumerate() {
                    if outcome.faults.any() {
                        writeln!(out, "  !!! {name}, round {}: {}", round + 1, outcome.faults)?;
                    }
                }
            }
        }
        for error in &self.errors {
            writeln!(out, "  !!! {error}")?;
        }
        Ok(())
    }

    fn write_row(&self, out: &mut impl Write, row: &Row, has_ratio: bool) -> io::Result<()> {
        write!(out, "  {:<32}", row.name)?;
        let medians: Vec<Option<f64>> = row.values.iter().map(|values| median(values)).collect();
        for (column, value) in medians.iter().enumerate() {
            let mark = if has_ratio && self.is_doubtful(column) {
                '~'
            } else {
                ' '
            };
            write!(out, "{:>13}{mark}", value.map_or("-".to_owned(), text))?;
            if column > 0 {
                let ratio = ratio(medians[0], *value).filter(|_| has_ratio);
                write!(out, "{:>7}", ratio.map_or(String::new(), text))?;
            }
        }
        writeln!(out)
    }

    pub(crate) fn json(&self) -> Value {
        let figures = self.rows().into_iter().chain(self.busy()).map(|row| {
            let medians: Vec<Option<f64>> = row.values.iter().map(|values| median(values)).collect();
            let servers = row.values.iter().enumerate().map(|(column, rounds)| {
                let ratio = ratio(medians[0], medians[column]);
                json!({ "server": self.columns[column], "median": medians[column], "ratio": ratio, "rounds": rounds })
            });
            json!({ "figure": row.name, "servers": servers.collect::<Vec<_>>() })
        });
        let Faults {
            lost,
            duplicated,
            reordered,
        } = self.faults();
        let doubtful = (0..self.columns.len()).filter(|column| self.is_doubtful(*column));
        json!({
            "scenario": self.scenario,
            "figures": figures.collect::<Vec<_>>(),
            "doubtful": doubtful.map(|column| &self.columns[column]).collect::<Vec<_>>(),
            "lost": lost, "duplicated": duplicated, "reordered": reordered,
            "errors": self.errors,
        })
    }
}

/// How many times the reference's figure it is.
fn ratio(reference: Option<f64>, value: Option<f64>) -> Option<f64> {
    let (reference, value) = (reference?, value?);
    (reference > 0.0).then(|| value / reference)
}
