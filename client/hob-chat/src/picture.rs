//! Codes read from PNG and JPEG files. Such files come from strangers, so everything about them is bounded first.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, ImageReader, Limits};

/// A photo by a telephone has 3 to 12 MiB.
const FILE_BYTES_MAX: u64 = 32 << 20;
const SIDE_PIXELS_MAX: u32 = 16_384;
/// 64 megapixels: more than cameras make, and at most a quarter of a GiB while it is decoded.
const PIXELS_MAX: u64 = 64_000_000;
const DECODER_BYTES_MAX: u64 = 320 << 20;
/// Larger pictures are made smaller before the search: its time grows with them, its success does not.
const SEARCHED_SIDE_PIXELS: u32 = 2_048;

/// A picture holds no code that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No file, or no right to it.
    #[error("cannot read the picture {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Too many bytes.
    #[error("the picture {} has more than {} MiB: crop it to the code", path.display(), FILE_BYTES_MAX >> 20)]
    FileTooLarge {
        /// Which.
        path: PathBuf,
    },
    /// Too many pixels.
    #[error("the picture {} has {width} x {height} pixels, too many: crop it to the code", path.display())]
    TooManyPixels {
        /// Which.
        path: PathBuf,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Another format.
    #[error("{} is no PNG or JPEG picture: save it as one of these, or paste the code itself", path.display())]
    WrongFormat {
        /// Which.
        path: PathBuf,
    },
    /// Damaged, or made to harm.
    #[error("the picture {} cannot be decoded ({why}): take it again, or paste the code itself", path.display())]
    Undecodable {
        /// Which.
        path: PathBuf,
        /// What the decoder said.
        why: String,
    },
    /// Nothing found in it.
    #[error("no code of Hob is found in {}: take the picture from closer by and straight on, or paste the code itself", path.display())]
    NoCode {
        /// Which.
        path: PathBuf,
    },
    /// Another kind of code.
    #[error("the code in {} is of another kind: it should start with {scheme}", path.display())]
    OtherCode {
        /// Which.
        path: PathBuf,
        /// How it should start.
        scheme: String,
    },
}

/// Reads the first QR code that starts with a scheme from a picture.
///
/// # Errors
/// [`PictureError`].
pub fn read_code(path: &Path, scheme: &str) -> Result<String, PictureError> {
    let picture = decode(path, &read(path)?)?;
    let codes = find_codes(picture).ok_or_else(|| PictureError::Undecodable {
        path: path.to_owned(),
        why: "the search for codes gave up".to_owned(),
    })?;
    if codes.is_empty() {
        return Err(PictureError::NoCode { path: path.to_owned() });
    }
    codes
        .into_iter()
        .find(|code| code.starts_with(scheme))
        .ok_or_else(|| PictureError::OtherCode { path: path.to_owned(), scheme: scheme.to_owned() })
}

fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|source| PictureError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(PictureError::FileTooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn decode(path: &Path, bytes: &[u8]) -> Result<GrayImage, PictureError> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err(PictureError::WrongFormat { path: path.to_owned() }),
    };
    let undecodable =
        |error: image::ImageError| PictureError::Undecodable { path: path.to_owned(), why: error.to_string() };
    // The header first: nothing is allocated for pixels that are only claimed.
    let (width, height) =
        ImageReader::with_format(Cursor::new(bytes), format).into_dimensions().map_err(undecodable)?;
    let too_wide = width > SIDE_PIXELS_MAX || height > SIDE_PIXELS_MAX;
    if too_wide || u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(PictureError::TooManyPixels { path: path.to_owned(), width, height });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_PIXELS_MAX);
    limits.max_image_height = Some(SIDE_PIXELS_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let picture = reader.decode().map_err(undecodable)?;
    if width.max(height) > SEARCHED_SIDE_PIXELS {
        return Ok(picture.thumbnail(SEARCHED_SIDE_PIXELS, SEARCHED_SIDE_PIXELS).into_luma8());
    }
    Ok(picture.into_luma8())
}

/// All texts of QR codes in a picture; `None`: the search itself failed.
///
/// It runs on a thread of its own: a picture that drives the search into a corner ends that thread and not the program.
fn find_codes(picture: GrayImage) -> Option<Vec<String>> {
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let search = std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(move || {
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let pixels = picture.into_raw();
            let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
                pixels.get(y * width + x).copied().unwrap_or(255)
            });
            let grids = prepared.detect_grids();
            grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
        })
        .ok()
        .and_then(|thread| thread.join().ok());
    std::panic::set_hook(silent);
    search
}
