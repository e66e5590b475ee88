//! Array values, in the binary form of PostgreSQL.
//!
//! ```text
//! number of dimensions · whether an element is NULL · object identifier of the elements' type
//! for each dimension: its length · its lower bound
//! for each element, the last subscript running fastest: its length, or -1 for NULL · its bytes
//! ```
//!
//! Every number is a signed 32-bit integer, big endian. Source: `array_send` in PostgreSQL's `arrayfuncs.c`.

#[cfg(any(feature = "postgres", test))]
use std::fmt::Write;

/// The value of an array column. Replacing elements keeps dimensions, lower bounds and `NULL`s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Array<'a> {
    element_type: i32,
    dimensions: Vec<Dimension>,
    elements: Vec<Option<&'a [u8]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dimension {
    length: i32,
    lower: i32,
}

impl<'a> Array<'a> {
    /// Reads an array. Returns `None` if the bytes are not exactly one array.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let count = number(&mut rest)?;
        let _has_null = number(&mut rest)?;
        let element_type = number(&mut rest)?;
        let dimension = |_| Some(Dimension { length: number(&mut rest)?, lower: number(&mut rest)? });
        let dimensions: Vec<Dimension> = (0..count).map(dimension).collect::<Option<_>>()?;
        let mut elements = Vec::new();
        while !rest.is_empty() {
            let length = number(&mut rest)?;
            if length == -1 {
                elements.push(None);
                continue;
            }
            let (element, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            elements.push(Some(element));
            rest = after;
        }
        let this = Self { element_type, dimensions, elements };
        (this.elements.len() == this.size()?).then_some(this)
    }

    pub(crate) fn elements(&self) -> &[Option<&'a [u8]>] {
        &self.elements
    }

    /// The same array with other elements. There must be as many as before.
    pub(crate) fn with<'b>(&self, elements: Vec<Option<&'b [u8]>>) -> Array<'b> {
        debug_assert_eq!(elements.len(), self.elements.len());
        Array { element_type: self.element_type, dimensions: self.dimensions.clone(), elements }
    }

    /// The bytes that [`parse`](Self::parse) reads.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let has_null = self.elements.iter().any(Option::is_none);
        // Invariant: PostgreSQL has at most six dimensions, and a value has less than 1 GB.
        let mut numbers = vec![self.dimensions.len() as i32, i32::from(has_null), self.element_type];
        numbers.extend(self.dimensions.iter().flat_map(|dimension| [dimension.length, dimension.lower]));
        let mut bytes: Vec<u8> = numbers.into_iter().flat_map(i32::to_be_bytes).collect();
        for element in &self.elements {
            bytes.extend(element.map_or(-1, |element| element.len() as i32).to_be_bytes());
            bytes.extend(element.unwrap_or_default());
        }
        bytes
    }

    /// The literal of the array, such as `[2:3]={"gAAAA…",NULL}`. Returns `None` if an element of text is not UTF-8,
    /// which a statement cannot contain.
    #[cfg(any(feature = "postgres", test))]
    pub(crate) fn literal(&self, is_text: bool) -> Option<String> {
        let mut literal = String::new();
        if self.dimensions.iter().any(|dimension| dimension.lower != 1) {
            for Dimension { length, lower } in &self.dimensions {
                // Invariant: writing to a `String` does not fail.
                let _ = write!(literal, "[{lower}:{}]", i64::from(*lower) + i64::from(*length) - 1);
            }
            literal.push('=');
        }
        if self.dimensions.is_empty() {
            literal.push_str("{}");
        }
        let lengths: Vec<usize> = self.dimensions.iter().map(|dimension| dimension.length as usize).collect();
        for (position, element) in self.elements.iter().enumerate() {
            // As many braces open here as subscripts are at their first value, counted from the last one.
            let period = |depth: usize| lengths[lengths.len() - 1 - depth..].iter().product::<usize>();
            let depth = |position: usize| (0..lengths.len()).take_while(|depth| position % period(*depth) == 0).count();
            literal.push_str(if position > 0 { "," } else { "" });
            literal.extend(std::iter::repeat_n('{', depth(position)));
            match element {
                None => literal.push_str("NULL"),
                Some(bytes) if is_text => push_text(std::str::from_utf8(bytes).ok()?, &mut literal),
                Some(bytes) => push_bytes(bytes, &mut literal),
            }
            literal.extend(std::iter::repeat_n('}', depth(position + 1)));
        }
        Some(literal)
    }

    /// The subscripts of an element as SQL writes them: `[2]`, `[1][3]`.
    pub(crate) fn subscripts(&self, position: usize) -> String {
        let mut rest = position as i64;
        let mut subscripts = Vec::new();
        for Dimension { length, lower } in self.dimensions.iter().rev() {
            let length = i64::from(*length).max(1);
            subscripts.push(format!("[{}]", i64::from(*lower) + rest % length));
            rest /= length;
        }
        subscripts.into_iter().rev().collect()
    }

    /// The number of elements that the dimensions ask for.
    fn size(&self) -> Option<usize> {
        if self.dimensions.is_empty() {
            return Some(0);
        }
        let mut lengths = self.dimensions.iter().map(|dimension| usize::try_from(dimension.length).ok());
        lengths.try_fold(1usize, |size, length| size.checked_mul(length.filter(|length| *length > 0)?))
    }
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*number))
}

#[cfg(any(feature = "postgres", test))]
fn push_text(text: &str, literal: &mut String) {
    literal.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal.push('"');
}

#[cfg(any(feature = "postgres", test))]
fn push_bytes(bytes: &[u8], literal: &mut String) {
    literal.push_str("\"\\\\x");
    for byte in bytes {
        // Invariant: writing to a `String` does not fail.
        let _ = write!(literal, "{byte:02x}");
    }
    literal.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array<'a>(dimensions: &[(i32, i32)], elements: &[Option<&'a [u8]>]) -> Array<'a> {
        let dimensions = dimensions.iter().map(|(length, lower)| Dimension { length: *length, lower: *lower });
        Array { element_type: 25, dimensions: dimensions.collect(), elements: elements.to_vec() }
    }

    const A: Option<&[u8]> = Some(b"a");

    #[test]
    fn bytes_are_read_back() {
        for array in [
            array(&[], &[]),
            array(&[(1, 1)], &[A]),
            array(&[(2, -3)], &[A, None]),
            array(&[(2, 1), (2, 5)], &[A, None, Some(b""), A]),
        ] {
            let bytes = array.to_bytes();
            assert_eq!(Array::parse(&bytes).unwrap(), array);
            assert_eq!(Array::parse(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Array::parse(&[&bytes[..], &[0]].concat()), None);
        }
        // an element more or less than the dimensions ask for
        assert_eq!(Array::parse(&array(&[(2, 1)], &[A]).to_bytes()), None);
        assert_eq!(Array::parse(&array(&[(0, 1)], &[]).to_bytes()), None);
        assert_eq!(Array::parse(b""), None);
    }

    #[test]
    fn literals() {
        let literal = |dimensions: &[_], elements: &[_]| array(dimensions, elements).literal(true).unwrap();
        assert_eq!(literal(&[], &[]), "{}");
        assert_eq!(literal(&[(2, 1)], &[A, None]), r#"{"a",NULL}"#);
        assert_eq!(literal(&[(2, 1)], &[Some(b"NULL"), Some(br#"\","{}"#)]), r#"{"NULL","\\\",\"{}"}"#);
        assert_eq!(literal(&[(1, 0)], &[Some(b"")]), r#"[0:0]={""}"#);
        assert_eq!(literal(&[(2, 1), (2, 1)], &[A, None, A, A]), r#"{{"a",NULL},{"a","a"}}"#);
        assert_eq!(literal(&[(1, 2), (2, 1), (1, 1)], &[A, A]), r#"[2:2][1:2][1:1]={{{"a"},{"a"}}}"#);
        assert_eq!(array(&[(1, 1)], &[Some(b"\x80\0")]).literal(false).unwrap(), r#"{"\\x8000"}"#);
        assert_eq!(array(&[(1, 1)], &[Some(b"\x80")]).literal(true), None);
    }

    #[test]
    fn subscripts_begin_at_the_lower_bounds() {
        let array = array(&[(2, 0), (3, 5)], &[A; 6]);
        assert_eq!([0, 2, 3].map(|position| array.subscripts(position)), ["[0][5]", "[0][7]", "[1][5]"]);
    }
}
