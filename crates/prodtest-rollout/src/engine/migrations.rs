//! The migrations of a database, by the names of their files: which a revision was deployed with, and which lie between
//! two. What they do is not looked at.

use std::{fs, io, path::Path};

/// The names of the files in the folder, in the order in which tools apply them: by the first number in each, then by
/// name.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_by_cached_key(|name| (number(name), name.clone()));
    Ok(names)
}

/// The newest that goes forward.
#[must_use]
pub fn newest(names: &[String]) -> Option<&String> {
    names.iter().rev().find(|name| !is_down(name))
}

/// Those after the one and up to the other; none, where one of the two is not among them.
#[must_use]
pub fn between<'a>(names: &'a [String], after: &str, up_to: &str) -> Option<Vec<&'a str>> {
    let forward: Vec<&str> = names.iter().map(String::as_str).filter(|name| !is_down(name)).collect();
    let at = |one: &str| forward.iter().position(|name| *name == one);
    let (after, up_to) = (at(after)?, at(up_to)?);
    Some(forward.get(after + 1..=up_to).unwrap_or_default().to_vec())
}

/// Whether the folder has the way back of a migration, as golang-migrate, sqlx (`.down.sql`) and Flyway (`U2__`) name it.
#[must_use]
pub fn has_way_back(names: &[String], migration: &str) -> bool {
    let down = migration.strip_suffix(".up.sql").or_else(|| migration.strip_suffix(".sql"));
    let undo = migration.strip_prefix('V').map(|rest| format!("U{rest}"));
    let of =
        |name: &String| down.is_some_and(|stem| *name == format!("{stem}.down.sql")) || Some(name) == undo.as_ref();
    names.iter().any(of)
}

fn is_down(name: &str) -> bool {
    let flyway = name.strip_prefix('U').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name.ends_with(".down.sql") || flyway
}

fn number(name: &str) -> u128 {
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn migrations_are_ordered_by_number_and_ways_back_are_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["V10__c.sql", "V2__b.sql", "U10__c.sql", "V1__a.sql", ".hidden"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = names(folder.path()).unwrap();
        assert_eq!(names, ["V1__a.sql", "V2__b.sql", "U10__c.sql", "V10__c.sql"]);
        assert_eq!(newest(&names).unwrap(), "V10__c.sql");
        assert!(has_way_back(&names, "V10__c.sql") && !has_way_back(&names, "V2__b.sql"));
    }

    #[test]
    fn what_lies_between_two_is_known_only_where_both_are() {
        let names = all(&["1_a.up.sql", "1_a.down.sql", "2_b.up.sql", "3_c.up.sql"]);
        assert_eq!(between(&names, "1_a.up.sql", "3_c.up.sql").unwrap(), ["2_b.up.sql", "3_c.up.sql"]);
        assert_eq!(between(&names, "3_c.up.sql", "3_c.up.sql").unwrap(), [""; 0]);
        assert_eq!(between(&names, "1_a.up.sql", "4_d.up.sql"), None);
        assert!(has_way_back(&names, "1_a.up.sql") && !has_way_back(&names, "3_c.up.sql"));
    }
}
