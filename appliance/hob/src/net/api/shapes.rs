//! What fields are made of: bytes as hex digits or base64, whole numbers; and how the OpenAPI document describes them.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hob_protocol::limits::{BUNDLE_BYTES_MAX, ENVELOPE_BYTES_MAX, ENVELOPE_SIZES};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{SchemaFormat, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Bytes of fixed length, as hex digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Hex<N> {
    /// Some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Hex(…)")
    }
}

impl<const N: usize> Hex<N> {
    /// Reads hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        if text.len() != 2 * N {
            return None;
        }
        HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("{} hex digits belong here", 2 * N)))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> PartialSchema for Hex<N> {
    fn schema() -> RefOr<Schema> {
        let pattern = format!("^[0-9a-fA-F]{{{}}}$", 2 * N);
        let about = format!("{N} bytes as hex digits");
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).description(Some(about)).into()
    }
}

impl<const N: usize> ToSchema for Hex<N> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("Hex{N}").into()
    }
}

/// Bytes in base64 (RFC 4648, section 4, with padding).
#[derive(Clone, PartialEq, Eq)]
pub struct Base64(pub Bytes);

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} B)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Self(bytes.into())),
            Err(_) => Err(D::Error::custom("base64 with padding (RFC 4648, section 4) belongs here")),
        }
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(&self.0))
    }
}

impl PartialSchema for Base64 {
    fn schema() -> RefOr<Schema> {
        Self::described("byte", None, "bytes in base64 with padding (RFC 4648, section 4)")
    }
}

impl ToSchema for Base64 {}

impl Base64 {
    /// So many bytes, as they are described. `byte` is base64 in the registry of OpenAPI's formats.
    fn described(format: &str, bytes: Option<RangeInclusive<usize>>, about: &str) -> RefOr<Schema> {
        let characters = |bytes: &usize| bytes.div_ceil(3) * 4;
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom(format.to_owned())))
            .content_encoding("base64".to_owned())
            .min_length(bytes.as_ref().map(|bytes| characters(bytes.start())))
            .max_length(bytes.as_ref().map(|bytes| characters(bytes.end())))
            .description(Some(about))
            .into()
    }
}

/// How a bundle is described.
pub fn bundle_schema() -> RefOr<Schema> {
    Base64::described(
        "byte",
        Some(1..=BUNDLE_BYTES_MAX),
        "1 to 4,096 bytes in base64 with padding (RFC 4648, section 4)",
    )
}

/// How an envelope is described. No schema can say that there are six sizes and nothing between, so it is a format.
pub fn envelope_schema() -> RefOr<Schema> {
    let about = "Exactly 2, 4, 8, 16, 32 or 64 KiB in base64 with padding (RFC 4648, section 4)";
    Base64::described("envelope", Some(ENVELOPE_SIZES[0]..=ENVELOPE_BYTES_MAX), about)
}

/// A body that is an envelope itself.
pub struct BareEnvelope;

impl PartialSchema for BareEnvelope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("binary".to_owned())))
            .min_length(Some(ENVELOPE_SIZES[0]))
            .max_length(Some(ENVELOPE_BYTES_MAX))
            .description(Some("Exactly 2, 4, 8, 16, 32 or 64 KiB"))
            .into()
    }
}

impl ToSchema for BareEnvelope {}

/// A whole number as JSON Schema has it: 30.0 is one (draft 2020-12, section 4.2.3 of its core).
///
/// # Errors
/// The deserializer's own, where it is none.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let whole = number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=WHOLE_FLOAT_MAX).contains(float))?;
        format!("{float:.0}").parse().ok()
    });
    let whole = whole.and_then(|whole| T::try_from(whole).ok());
    whole.ok_or_else(|| D::Error::custom("a whole number that is not negative and not too large belongs here"))
}

/// Up to here a floating point number says which whole one is meant: 2^53.
const WHOLE_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;
