//! What someone may have meant by a word that means nothing.

/// Of `known`, the word most like `word`, if it is like it at all.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let fold = |word: &str| word.to_lowercase().replace('-', "_");
    let word = fold(word);
    let (distance, nearest) = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &fold(known)), known))
        .min_by_key(|(distance, _)| *distance)?;
    let letters = word.chars().count().max(nearest.chars().count());
    (distance <= letters / 3 + 1 && distance < letters).then(|| nearest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["codec", "hosts", "min_shares", "source", "k", "n"];
        for (word, found) in [
            ("codek", Some("codec")),
            ("Codec", Some("codec")),
            ("minshares", Some("min_shares")),
            ("min-shares", Some("min_shares")),
            ("sources", Some("source")),
            ("shotS", Some("hosts")),
            ("passphrase", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known).as_deref(), found, "{word}");
        }
        assert_eq!(nearest("a", []), None);
    }
}
