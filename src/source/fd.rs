//! Descriptors that the program was started with: `fd:N`.

use std::ffi::OsStr;
use std::io::{self, Read};

use super::{Kind, Scheme, Source, SourceError, SourceReader};
use crate::descriptor::Descriptor;

/// The scheme `fd:`.
#[derive(Debug)]
pub struct Fd;

impl Scheme for Fd {
    fn scheme(&self) -> &'static str {
        "fd"
    }

    fn summary(&self) -> &'static str {
        "fd:N, a descriptor that the shell opened, as by 3<file"
    }
}

impl Kind for Fd {
    fn source(&self, number: &OsStr) -> Result<Box<dyn Source>, SourceError> {
        let descriptor = Descriptor::for_reading(number.as_encoded_bytes())?;
        let name = match number.as_encoded_bytes() {
            b"0" => "standard input".to_owned(),
            number => format!("fd:{}", String::from_utf8_lossy(number)),
        };
        Ok(Box::new(FdSource { descriptor, name }))
    }
}

/// It is never positioned, not even where it is a file: others may share it and its position.
#[derive(Debug)]
struct FdSource {
    descriptor: Descriptor,
    name: String,
}

impl Source for FdSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open(self: Box<Self>) -> io::Result<Box<dyn SourceReader>> {
        Ok(self)
    }
}

impl Read for FdSource {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.descriptor.read(buf)
    }
}

impl SourceReader for FdSource {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::descriptor::tests::inherited;

    #[test]
    fn it_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let number = inherited(&reader);
        drop(reader);
        let source = Fd.source(OsStr::new(&number)).unwrap();
        assert_eq!(source.name(), format!("fd:{number}"));
        let mut reader = source.open().unwrap();
        assert!(reader.seekable().is_none());
        writer.write_all(b"data").unwrap();
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), "data");
    }
}
