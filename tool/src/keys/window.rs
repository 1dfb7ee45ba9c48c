//! Which rows are on the screen.

use std::collections::VecDeque;

/// A part of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The place of the row.
    pub(super) row: usize,
    /// How many rows of the screen are above it.
    pub(super) skip: usize,
    /// How many are on it.
    pub(super) take: usize,
}

/// What is to be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// How many rows there are.
    pub(super) count: usize,
    /// The row that has to be on the screen; `None`: the last one.
    pub(super) selected: Option<usize>,
    /// The one at the bottom, unless the selected one would not be seen.
    pub(super) bottom: Option<usize>,
    /// How many rows the screen has.
    pub(super) room: usize,
}

/// Returns what is on the screen, from top to bottom. `height`: how many rows of the screen a row needs.
pub(super) fn window(wish: Wish, mut height: impl FnMut(usize) -> usize) -> VecDeque<Part> {
    let mut parts = VecDeque::new();
    let Some(last) = wish.count.checked_sub(1).filter(|_| wish.room > 0) else { return parts };
    let selected = wish.selected.map(|selected| selected.min(last));
    let bottom = selected.map_or(last, |selected| wish.bottom.unwrap_or(last).clamp(selected, last));
    let mut room = wish.room;
    for row in (0..=bottom).rev() {
        let needed = height(row).max(1);
        let take = needed.min(room);
        parts.push_front(Part { row, skip: needed - take, take });
        room -= take;
        if room == 0 {
            break;
        }
    }
    let is_above = |part: &Part| selected.is_some_and(|selected| (selected, 0) < (part.row, part.skip));
    let next = if parts.front().is_some_and(is_above) {
        parts.clear();
        room = wish.room;
        selected.unwrap_or(0)
    } else {
        bottom + 1
    };
    for row in next..=last {
        if room == 0 {
            break;
        }
        let take = height(row).max(1).min(room);
        parts.push_back(Part { row, skip: 0, take });
        room -= take;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, selected: Option<usize>, bottom: Option<usize>, room: usize) -> Vec<(usize, usize, usize)> {
        // The row 5 is high.
        let height = |row| if row == 5 { 4 } else { 1 };
        let parts = window(Wish { count, selected, bottom, room }, height);
        parts.into_iter().map(|Part { row, skip, take }| (row, skip, take)).collect()
    }

    #[test]
    fn the_selected_row_is_on_the_screen() {
        assert_eq!(rows(0, None, None, 5), []);
        assert_eq!(rows(10, Some(3), None, 0), []);
        assert_eq!(rows(2, None, None, 5), [(0, 0, 1), (1, 0, 1)]);
        assert_eq!(rows(5, None, None, 2), [(3, 0, 1), (4, 0, 1)]);
        assert_eq!(rows(7, None, None, 3), [(5, 2, 2), (6, 0, 1)]);
        assert_eq!(rows(6, Some(5), None, 3), [(5, 0, 3)]);
        assert_eq!(rows(10, Some(1), Some(4), 2), [(1, 0, 1), (2, 0, 1)]);
        assert_eq!(rows(10, Some(4), Some(2), 2), [(3, 0, 1), (4, 0, 1)]);
        assert_eq!(rows(10, Some(0), Some(1), 3), [(0, 0, 1), (1, 0, 1), (2, 0, 1)]);
        assert_eq!(rows(3, Some(9), Some(9), 9), [(0, 0, 1), (1, 0, 1), (2, 0, 1)]);
    }
}
