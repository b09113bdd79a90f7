//! Pathways, courses or modules by their slug, in the order of slugs: one flat vector. A contact has
//! a handful of each, all of which are read, joined and written together, and a tree's nodes would
//! cost more than they hold.

use std::cmp::Ordering;

/// Values by slug.
///
/// **Invariant**: slugs ascend, and none stands twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BySlug<T> {
    members: Vec<(String, T)>,
}

impl<T> BySlug<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of this slug.
    pub fn get(&self, slug: &str) -> Option<&T> {
        self.place(slug).ok().map(|place| &self.members[place].1)
    }

    /// The value of this slug, to be changed.
    pub fn get_mut(&mut self, slug: &str) -> Option<&mut T> {
        self.place(slug).ok().map(|place| &mut self.members[place].1)
    }

    /// The value of this slug, which is made if there is none.
    pub fn get_or_default(&mut self, slug: &str) -> &mut T
    where
        T: Default,
    {
        let place = self.place(slug).unwrap_or_else(|place| {
            self.members.insert(place, (slug.to_owned(), T::default()));
            place
        });
        &mut self.members[place].1
    }

    /// Puts a value under its slug, in place of one that is there.
    pub fn insert(&mut self, slug: String, value: T) {
        match self.place(&slug) {
            Ok(place) => self.members[place].1 = value,
            Err(place) => self.members.insert(place, (slug, value)),
        }
    }

    /// Slugs and values, in the order of slugs.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> + Clone {
        self.members.iter().map(|(slug, value)| (slug, value))
    }

    /// The slugs, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.iter().map(|(slug, _)| slug)
    }

    /// The values, in the order of slugs.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }

    /// Where a slug stands, or would. Most come in their order, behind the last.
    fn place(&self, slug: &str) -> Result<usize, usize> {
        let Some((last, _)) = self.members.last() else { return Err(0) };
        match slug.cmp(last) {
            Ordering::Greater => Err(self.len()),
            Ordering::Equal => Ok(self.len() - 1),
            Ordering::Less => self.members.binary_search_by(|(other, _)| other.as_str().cmp(slug)),
        }
    }
}

impl<T> Default for BySlug<T> {
    fn default() -> Self {
        Self { members: Vec::new() }
    }
}

impl<T> FromIterator<(String, T)> for BySlug<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(members: I) -> Self {
        let mut all = Self::default();
        for (slug, value) in members {
            all.insert(slug, value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(slugs: &str) -> BySlug<usize> {
        slugs.split(' ').enumerate().map(|(nth, slug)| (slug.to_owned(), nth)).collect()
    }

    #[track_caller]
    fn holds(all: &BySlug<usize>, expected: &[(&str, usize)]) {
        let held: Vec<(&str, usize)> =
            all.iter().map(|(slug, nth)| (slug.as_str(), *nth)).collect();
        assert_eq!(held, expected);
    }

    #[test]
    fn members_stand_in_the_order_of_slugs_however_they_came() {
        let expected = of("a b c d").keys().cloned().collect::<Vec<_>>();
        for order in ["d c b a", "b d a c", "c a d b"] {
            assert_eq!(of(order).keys().cloned().collect::<Vec<_>>(), expected, "{order}");
        }
    }

    #[test]
    fn of_a_slug_that_comes_again_the_last_value_stays() {
        holds(&of("b a b c a"), &[("a", 4), ("b", 2), ("c", 3)]);
    }

    #[test]
    fn a_slug_finds_its_value_and_no_other() {
        let mut all = of("b d f");
        for (slug, nth) in [("b", 0), ("d", 1), ("f", 2)] {
            assert_eq!(all.get(slug), Some(&nth));
            assert_eq!(all.get_mut(slug).copied(), Some(nth));
        }
        for slug in ["", "a", "c", "e", "g"] {
            assert_eq!(all.get(slug), None, "{slug}");
            assert_eq!(all.get_mut(slug), None, "{slug}");
        }
    }

    #[test]
    fn what_is_missing_is_made_in_its_place_once() {
        let mut all = of("b d");
        for slug in ["c", "a", "e", "c", "b"] {
            *all.get_or_default(slug) += 10;
        }
        holds(&all, &[("a", 10), ("b", 10), ("c", 20), ("d", 1), ("e", 10)]);
    }
}
