//! Least squares for two factors whose effects add: `base + codec + transport`.
//!
//! Effects are deviations that sum to 0 over the levels of their factor (each level counting once), so that
//! `base` is the middle of the table. For a complete table these are the means of rows and columns; for an
//! incomplete one least squares gives the same from what is there, provided that the pairs hang together:
//! two levels can be compared where a chain of pairs leads from one to the other.

/// A pair of levels, by position.
pub(in crate::analysis) type Place = (usize, usize);

/// What adds up to a pair's figure.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::analysis) struct Fit {
    pub(in crate::analysis) base: f64,
    pub(in crate::analysis) rows: Vec<f64>,
    pub(in crate::analysis) columns: Vec<f64>,
}

impl Fit {
    /// What the parts of a pair add up to.
    pub(in crate::analysis) fn at(&self, (row, column): Place) -> f64 {
        let part = |effects: &[f64], level: usize| effects.get(level).copied().unwrap_or(0.0);
        self.base + part(&self.rows, row) + part(&self.columns, column)
    }
}

/// The groups of pairs that share no level with each other, as positions in `places`.
pub(super) fn groups(places: &[Place]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let touches = |group: &Vec<usize>| {
            group
                .iter()
                .filter_map(|other| places.get(*other))
                .any(|other| other.0 == place.0 || other.1 == place.1)
        };
        let (joined, mut apart): (Vec<Vec<usize>>, Vec<Vec<usize>>) =
            std::mem::take(&mut groups).into_iter().partition(touches);
        let mut group: Vec<usize> = joined.into_iter().flatten().collect();
        group.push(index);
        apart.push(group);
        groups = apart;
    }
    groups
}

/// Fits `rows` × `columns` levels to the figures of pairs. `None` where the figures do not determine every
/// effect.
pub(super) fn fit(rows: usize, columns: usize, figures: &[(Place, f64)]) -> Option<Fit> {
    // Unknowns: the base, then each level's effect. Besides the normal equations, each factor's effects
    // sum to 0.
    let unknowns = 1 + rows + columns;
    let mut matrix = vec![vec![0.0; unknowns + 1]; unknowns];
    for ((row, column), figure) in figures {
        let of = [0, 1 + row, 1 + rows + column];
        for &one in &of {
            let equation = matrix.get_mut(one)?;
            for &other in &of {
                *equation.get_mut(other)? += 1.0;
            }
            *equation.get_mut(unknowns)? += figure;
        }
    }
    // Adding the constraint s·Σeffects = 0 to each equation of its factor keeps the matrix square: the
    // minimum is the same, and unique.
    for factor in [1..1 + rows, 1 + rows..unknowns] {
        for one in factor.clone() {
            for other in factor.clone() {
                *matrix.get_mut(one)?.get_mut(other)? += 1.0;
            }
        }
    }
    let solution = solve(matrix)?;
    let (base, effects) = solution.split_first()?;
    let (rows, columns) = effects.split_at_checked(rows)?;
    Some(Fit { base: *base, rows: rows.to_vec(), columns: columns.to_vec() })
}

/// Gaussian elimination with pivots, of a square matrix with the right side as its last column.
fn solve(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    /// Below this a pivot is a rounding error of the small whole numbers in these matrices.
    const LEAST_PIVOT: f64 = 1e-9;
    let unknowns = matrix.len();
    for column in 0..unknowns {
        let size = |row: &Vec<f64>| row.get(column).map_or(0.0, |value| value.abs());
        let pivot = (column..unknowns).max_by(|a, b| size(&matrix[*a]).total_cmp(&size(&matrix[*b])))?;
        if size(&matrix[pivot]) < LEAST_PIVOT {
            return None;
        }
        matrix.swap(column, pivot);
        let chosen = matrix[column].clone();
        for (index, row) in matrix.iter_mut().enumerate() {
            if index == column {
                continue;
            }
            let factor = row[column] / chosen[column];
            for (value, of_chosen) in row.iter_mut().zip(&chosen) {
                *value -= factor * of_chosen;
            }
        }
    }
    let divided = |(index, row): (usize, &Vec<f64>)| Some(row.last()? / row.get(index)?);
    matrix.iter().enumerate().map(divided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [f64; 3] = [-4.0, 1.0, 3.0];
    const COLUMNS: [f64; 2] = [-10.0, 10.0];

    fn figure((row, column): Place) -> f64 {
        100.0 + ROWS[row] + COLUMNS[column]
    }

    fn assert_recovered(places: &[Place]) {
        let figures: Vec<(Place, f64)> = places.iter().map(|place| (*place, figure(*place))).collect();
        let found = fit(3, 2, &figures).unwrap();
        assert!((found.base - 100.0).abs() < 1e-9, "{found:?}");
        for (found, built) in found.rows.iter().zip(ROWS).chain(found.columns.iter().zip(COLUMNS)) {
            assert!((found - built).abs() < 1e-9, "{found} {built}");
        }
    }

    #[test]
    fn effects_are_recovered_from_a_complete_table_and_from_a_connected_part() {
        assert_recovered(&[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
        // A chain: row 0 – column 0 – row 1 – column 1 – row 2.
        assert_recovered(&[(0, 0), (1, 0), (1, 1), (2, 1)]);
    }

    #[test]
    fn what_does_not_hang_together_is_not_fitted() {
        let places = [(0, 0), (1, 0), (2, 1)];
        assert_eq!(groups(&places).len(), 2);
        let figures: Vec<(Place, f64)> = places.iter().map(|place| (*place, figure(*place))).collect();
        assert_eq!(fit(3, 2, &figures), None);
        assert_eq!(groups(&[(0, 0), (1, 1), (0, 1)]).len(), 1, "the last pair joins the first two");
    }

    #[test]
    fn what_addition_cannot_explain_is_left_over_evenly() {
        let figures = [((0, 0), 0.0), ((0, 1), 0.0), ((1, 0), 0.0), ((1, 1), 4.0)];
        let found = fit(2, 2, &figures).unwrap();
        let rest: Vec<f64> = figures.iter().map(|(place, figure)| figure - found.at(*place)).collect();
        for (rest, expected) in rest.iter().zip([1.0, -1.0, -1.0, 1.0]) {
            assert!((rest - expected).abs() < 1e-9);
        }
    }
}
