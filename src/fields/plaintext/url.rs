//! The `url` crate's `Url`.

crate::plaintext_as_text!(url::Url => "a URL");

#[cfg(test)]
mod tests {
    use crate::fields::plaintext::Plaintext;
    use crate::fields::plaintext::bytes::tests::round_trips;

    #[test]
    fn urls() {
        let url: url::Url = "HTTPS://user:pass@Example.org/a b?q=é#f".parse().unwrap();
        round_trips(&url);
        assert_eq!(*url.encode().unwrap(), *b"https://user:pass@example.org/a%20b?q=%C3%A9#f");
        let error = url::Url::decode(b"no url".into()).unwrap_err();
        assert_eq!(error.to_string(), "the value is not a URL");
    }
}
