//! Which tiles are drawn, in which order, and which of them are worth a texture: pure maths.
//!
//! Tiles of several resolutions, sides and recipes overlap. They are ranked, best last; a tile that
//! better ones hide is neither drawn nor uploaded. Positions are in 64ths of a picture pixel, so
//! that equal edges compare equal whatever the scale of the tile they came from.

/// Units of [`Span`] a picture pixel.
pub(super) const UNITS: f64 = 64.0;

/// A texel may be this much larger than a screen pixel before the tile counts as too coarse.
const COARSEST_TEXEL: f64 = 1.6;

/// A rectangle on the picture, in 64ths of a pixel of the original.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Span {
    /// Left and top.
    pub(super) low: [i64; 2],
    /// Right and bottom.
    pub(super) high: [i64; 2],
}

impl Span {
    /// From corners in picture pixels.
    pub(super) fn from_picture(low: [f64; 2], high: [f64; 2]) -> Self {
        let units = |value: f64| (value * UNITS).round() as i64;
        Self { low: low.map(units), high: high.map(units) }
    }

    /// Top left and bottom right corner in picture pixels.
    pub(super) fn picture_corners(self) -> [[f64; 2]; 2] {
        [self.low, self.high].map(|corner| corner.map(|value| value as f64 / UNITS))
    }

    pub(super) fn is_empty(self) -> bool {
        self.low[0] >= self.high[0] || self.low[1] >= self.high[1]
    }

    pub(super) fn intersect(self, other: Self) -> Self {
        Self {
            low: [0, 1].map(|a| self.low[a].max(other.low[a])),
            high: [0, 1].map(|a| self.high[a].min(other.high[a])),
        }
    }

    pub(super) fn contains(self, point: [i64; 2]) -> bool {
        (0..2).all(|a| self.low[a] <= point[a] && point[a] < self.high[a])
    }

    /// Square of the distance between the middles of two spans.
    pub(super) fn distance_squared(self, other: Self) -> f64 {
        let middle = |span: Self, a: usize| (span.low[a] + span.high[a]) as f64 / 2.0;
        (0..2).map(|a| (middle(self, a) - middle(other, a)).powi(2)).sum()
    }
}

/// What composing needs to know of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// The tile it stands for.
    pub(super) index: usize,
    /// What it covers.
    pub(super) span: Span,
    /// Higher goes on top among tiles that are fine enough: 0 for the fallback, then recipes by
    /// age, the current one last.
    pub(super) rank: u64,
    /// Texels a picture pixel.
    pub(super) density: f64,
    /// The most `density` this side can have: a coarse tile at full resolution is fine enough.
    pub(super) full_density: f64,
    /// Whether it has a texture and hides what is below.
    pub(super) ready: bool,
}

impl Piece {
    /// Whether it has the detail that a screen at `zoom` can show, or all that there is.
    pub(super) fn is_fine(&self, zoom: f64) -> bool {
        self.density * COARSEST_TEXEL >= zoom.min(self.full_density)
    }

    /// Badness of the resolution, 0 for a texel a screen pixel.
    fn mismatch(&self, zoom: f64) -> f64 {
        (self.density / zoom.min(self.full_density)).ln().abs()
    }
}

/// The result of [`compose`]; values are [`Piece::index`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Composition {
    /// To be drawn, lowest first.
    pub(super) draw: Vec<usize>,
    /// Without texture and worth one, most useful first.
    pub(super) wanted: Vec<usize>,
}

/// Orders `pieces` for a screen at `zoom` (screen pixels a picture pixel) that shows `visible`.
pub(super) fn compose(mut pieces: Vec<Piece>, visible: Span, zoom: f64) -> Composition {
    pieces.retain(|piece| !piece.span.intersect(visible).is_empty());
    // Worst first. Detail counts more than age: a coarse result never hides a sharp original.
    pieces.sort_by(|a, b| {
        let fine = |piece: &Piece| piece.is_fine(zoom);
        let by_detail = b.mismatch(zoom).total_cmp(&a.mismatch(zoom));
        fine(a).cmp(&fine(b)).then(if fine(a) {
            a.rank.cmp(&b.rank).then(by_detail)
        } else {
            by_detail.then(a.rank.cmp(&b.rank))
        })
    });

    let spans = || pieces.iter().map(|piece| piece.span);
    let mut shown = Coverage::new(spans(), visible);
    let mut planned = Coverage::new(spans(), visible);
    let mut result = Composition::default();
    let mut wanted = Vec::new();
    for piece in pieces.iter().rev() {
        if piece.ready {
            if !shown.covers(piece.span) {
                result.draw.push(piece.index);
                shown.mark(piece.span);
            }
        } else if !planned.covers(piece.span) {
            wanted.push(piece);
        }
        planned.mark(piece.span);
    }
    result.draw.reverse();
    // First what fills a hole, coarse before fine so that one upload fills many; then from the
    // centre outwards, where the eye is.
    wanted.sort_by_cached_key(|piece| {
        let is_filled = shown.covers(piece.span);
        let density = if is_filled { 0.0 } else { piece.density };
        let distance = piece.span.distance_squared(visible);
        // Both are positive: their bits are in the order of their values.
        (is_filled, density.to_bits(), distance.to_bits())
    });
    result.wanted = wanted.into_iter().map(|piece| piece.index).collect();
    result
}

/// Which parts of a window are covered, exactly: the edges of all rectangles that may be marked cut
/// the window into cells.
#[derive(Debug)]
pub(super) struct Coverage {
    edges: [Vec<i64>; 2],
    cells: Vec<bool>,
}

impl Coverage {
    /// Nothing covered of `window`; only rectangles among `spans` may be marked and asked for.
    pub(super) fn new(spans: impl Iterator<Item = Span> + Clone, window: Span) -> Self {
        let edges = [0, 1].map(|axis| {
            let (low, high) = (window.low[axis], window.high[axis].max(window.low[axis]));
            let inner = spans.clone().flat_map(|span| [span.low[axis], span.high[axis]]);
            let mut edges: Vec<i64> =
                inner.filter(|edge| (low..=high).contains(edge)).chain([low, high]).collect();
            edges.sort_unstable();
            edges.dedup();
            edges
        });
        let count = edges.iter().map(|edges| edges.len() - 1).product();
        Self { edges, cells: vec![false; count] }
    }

    fn range(&self, axis: usize, span: Span) -> std::ops::Range<usize> {
        let edges = &self.edges[axis];
        let cell = |at: i64| edges.partition_point(|edge| *edge < at).min(edges.len() - 1);
        let first = cell(span.low[axis]);
        first..cell(span.high[axis]).max(first)
    }

    fn columns(&self) -> usize {
        self.edges[0].len() - 1
    }

    /// Notes that `span` is covered.
    pub(super) fn mark(&mut self, span: Span) {
        let (columns, width) = (self.range(0, span), self.columns());
        for row in self.range(1, span) {
            self.cells[row * width + columns.start..row * width + columns.end].fill(true);
        }
    }

    /// Whether all of `span` that lies in the window is covered.
    pub(super) fn covers(&self, span: Span) -> bool {
        let (columns, width) = (self.range(0, span), self.columns());
        self.range(1, span).all(|row| {
            self.cells[row * width + columns.start..row * width + columns.end].iter().all(|c| *c)
        })
    }

    /// Share of the window that is covered, `0..=1`; 1 for an empty window.
    pub(super) fn share(&self) -> f32 {
        let length =
            |axis: usize, cell: usize| (self.edges[axis][cell + 1] - self.edges[axis][cell]) as f64;
        let (mut covered, mut all) = (0.0, 0.0);
        for (index, cell) in self.cells.iter().enumerate() {
            let area = length(0, index % self.columns()) * length(1, index / self.columns());
            all += area;
            covered += if *cell { area } else { 0.0 };
        }
        if all == 0.0 { 1.0 } else { (covered / all) as f32 }
    }

    /// The border between covered and bare parts, as axis-parallel lines `[from, to]`.
    pub(super) fn frontier(&self) -> Vec<[[i64; 2]; 2]> {
        let [xs, ys] = &self.edges;
        let at = |column: usize, row: usize| self.cells[row * self.columns() + column];
        let rows = ys.len() - 1;
        let mut lines = Vec::new();
        for (column, x) in xs.iter().enumerate().take(self.columns()).skip(1) {
            for row in (0..rows).filter(|row| at(column - 1, *row) != at(column, *row)) {
                lines.push([[*x, ys[row]], [*x, ys[row + 1]]]);
            }
        }
        for (row, y) in ys.iter().enumerate().take(rows).skip(1) {
            for column in (0..self.columns()).filter(|c| at(*c, row - 1) != at(*c, row)) {
                lines.push([[xs[column], *y], [xs[column + 1], *y]]);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(x: i64, y: i64, width: i64, height: i64) -> Span {
        Span { low: [x, y], high: [x + width, y + height] }
    }

    fn piece(index: usize, span: Span, rank: u64, density: f64, ready: bool) -> Piece {
        Piece { index, span, rank, density, full_density: 1.0, ready }
    }

    const ALL: Span = Span { low: [0, 0], high: [1000, 1000] };

    #[test]
    fn a_finer_tile_goes_above_and_hides_nothing_beside_it() {
        let pieces =
            vec![piece(1, span(0, 0, 500, 1000), 0, 1.0, true), piece(0, ALL, 0, 0.1, true)];
        assert_eq!(compose(pieces, ALL, 1.0).draw, [0, 1]);
    }

    #[test]
    fn what_is_hidden_is_neither_drawn_nor_uploaded() {
        let pieces = vec![
            piece(0, ALL, 0, 0.1, false),
            piece(1, span(0, 0, 500, 1000), 0, 1.0, true),
            piece(2, span(500, 0, 500, 1000), 0, 1.0, true),
            piece(3, span(2000, 0, 500, 1000), 0, 1.0, false),
        ];
        let done = compose(pieces, ALL, 1.0);
        assert_eq!((done.draw, done.wanted), (vec![1, 2], vec![]));
    }

    #[test]
    fn an_older_result_stays_until_the_new_one_is_ready() {
        let old = piece(0, ALL, 1, 1.0, true);
        let waiting = compose(vec![old, piece(1, ALL, 2, 1.0, false)], ALL, 1.0);
        assert_eq!((waiting.draw, waiting.wanted), (vec![0], vec![1]));
        let done = compose(vec![old, piece(1, ALL, 2, 1.0, true)], ALL, 1.0);
        assert_eq!((done.draw, done.wanted), (vec![1], vec![]));
    }

    #[test]
    fn a_coarse_result_does_not_hide_a_sharp_original() {
        let coarse_after = piece(0, ALL, 3, 0.2, true);
        let sharp_before = piece(1, ALL, 0, 1.0, true);
        assert_eq!(compose(vec![coarse_after, sharp_before], ALL, 1.0).draw, [1]);
        // Zoomed out both have the detail that is needed, and the result wins.
        assert_eq!(compose(vec![coarse_after, sharp_before], ALL, 0.2).draw, [0]);
    }

    #[test]
    fn much_too_fine_tiles_make_room_for_the_right_level() {
        let fine = piece(0, ALL, 1, 1.0, true);
        let right = piece(1, ALL, 1, 0.25, true);
        assert_eq!(compose(vec![fine, right], ALL, 0.25).draw, [1]);
    }

    #[test]
    fn holes_are_filled_first_then_the_centre() {
        let ready = piece(0, span(0, 0, 1000, 500), 0, 0.2, true);
        let pieces = vec![
            ready,
            piece(1, span(0, 0, 100, 100), 0, 1.0, false),
            piece(2, span(450, 200, 100, 100), 0, 1.0, false),
            piece(3, span(0, 500, 1000, 500), 0, 0.2, false),
            piece(4, span(900, 900, 100, 100), 0, 1.0, false),
        ];
        assert_eq!(compose(pieces, ALL, 1.0).wanted, [3, 4, 2, 1]);
    }

    #[test]
    fn the_frontier_runs_around_what_is_done() {
        let done = span(200, 300, 100, 100);
        let mut coverage = Coverage::new([done].into_iter(), ALL);
        assert!(coverage.frontier().is_empty());
        coverage.mark(done);
        let mut lines = coverage.frontier();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                [[200, 300], [200, 400]],
                [[200, 300], [300, 300]],
                [[200, 400], [300, 400]],
                [[300, 300], [300, 400]],
            ]
        );
        assert!((coverage.share() - 0.01).abs() < 1e-6);
    }

    proptest! {
        /// Coverage agrees with counting points one by one.
        #[test]
        fn coverage_is_exact(
            rects in prop::collection::vec((0..30i64, 0..30i64, 1..20i64, 1..20i64), 1..8),
            asked in 0..8usize,
        ) {
            let window = span(5, 5, 20, 20);
            let spans: Vec<Span> = rects.iter().map(|r| span(r.0, r.1, r.2, r.3)).collect();
            let asked = spans[asked % spans.len()];
            let mut coverage = Coverage::new(spans.iter().copied(), window);
            let marked = &spans[..spans.len() / 2];
            for span in marked {
                coverage.mark(*span);
            }
            let points = || (5..25i64).flat_map(|y| (5..25i64).map(move |x| [x, y]));
            let is_marked = |p: &[i64; 2]| marked.iter().any(|span| span.contains(*p));
            let slow = points().filter(|p| asked.contains(*p)).all(|p| is_marked(&p));
            prop_assert_eq!(coverage.covers(asked), slow);
            let share = points().filter(is_marked).count() as f32 / 400.0;
            prop_assert!((coverage.share() - share).abs() < 1e-5);
        }

        /// Whatever is ready somewhere is shown there: no hole where there is a tile.
        #[test]
        fn nothing_that_is_ready_leaves_a_hole(
            rects in prop::collection::vec(
                (0..30i64, 0..30i64, 1..30i64, 1..30i64, 0..3u64, 0..3i32, any::<bool>()), 1..10),
        ) {
            let window = span(5, 5, 20, 20);
            let pieces: Vec<Piece> = rects.iter().enumerate().map(|(i, r)| {
                piece(i, span(r.0, r.1, r.2, r.3), r.4, 0.5f64.powi(r.5), r.6)
            }).collect();
            let done = compose(pieces.clone(), window, 1.0);
            for y in 5..25 {
                for x in 5..25 {
                    let any = pieces.iter().any(|p| p.ready && p.span.contains([x, y]));
                    let drawn = done.draw.iter().any(|i| pieces[*i].span.contains([x, y]));
                    prop_assert_eq!(any, drawn);
                }
            }
            prop_assert!(done.draw.iter().all(|i| pieces[*i].ready));
            prop_assert!(done.wanted.iter().all(|i| !pieces[*i].ready));
        }
    }
}
