"""Why a log record can become a dead letter; the keys that dead letters are counted under."""

from enum import StrEnum


class Reason(StrEnum):
    """Every reason there is. The values are stable: dashboards and alerts rest on them."""

    DECOMPRESSION_BOMB = "decompression_bomb"
    """A compressed batch of records would expand beyond what a source allows."""

    DAMAGED_BATCH = "damaged_batch"
    """A batch of records has a wrong checksum, does not decompress or cannot be parsed."""

    TOMBSTONE = "tombstone"
    """The record has no body at all."""

    EMPTY_RECORD = "empty_record"
    """The body is empty or white space."""

    TOO_LARGE = "too_large"
    """The body exceeds `Limits.max_bytes`; it is not parsed."""

    TOO_DEEP = "too_deep"
    """Brackets nest deeper than `Limits.max_depth`."""

    BYTE_ORDER_MARK = "byte_order_mark"
    """The body starts with a byte order mark, which RFC 8259 forbids."""

    NOT_UTF8 = "not_utf8"
    """Body or header is not UTF-8."""

    MALFORMED_JSON = "malformed_json"
    """The body is not one JSON value."""

    MALFORMED_MSGPACK = "malformed_msgpack"
    """The body begins or is announced as MessagePack and is not one value of it."""

    NOT_FINITE = "not_finite"
    """A number is NaN, infinite or beyond the range of a double."""

    LONE_SURROGATE = "lone_surrogate"
    """An escape names half of a surrogate pair, which is no character."""

    NUL_CHARACTER = "nul_character"
    """A string or a key contains U+0000."""

    WRONG_TYPE = "wrong_type"
    """A value has another JSON type than its field."""

    MISSING_FIELD = "missing_field"
    """A required field is absent."""

    EMPTY_VALUE = "empty_value"
    """An id, a list or an object that must hold something is empty."""

    TOO_LONG = "too_long"
    """A string exceeds its field's length."""

    OUT_OF_RANGE = "out_of_range"
    """A number lies outside its field's range, or an integer outside 64 bits."""

    UNKNOWN_VALUE = "unknown_value"
    """A value is not among those that its field allows."""

    INVALID_TIME = "invalid_time"
    """The time is a string that is not RFC 3339."""

    NAIVE_TIME = "naive_time"
    """The time has no offset from UTC."""

    TIME_OUT_OF_RANGE = "time_out_of_range"
    """The time lies outside `Limits.earliest_ms` and `Limits.latest_ms`: seconds, perhaps."""

    TIME_IN_FUTURE = "time_in_future"
    """The time lies more than `Limits.future_ms` beyond its record's own, or beyond now."""

    NOT_HEXADECIMAL = "not_hexadecimal"
    """A fingerprint has characters other than hexadecimal digits."""

    AMBIGUOUS_INPUT = "ambiguous_input"
    """The input has more than one of its four forms."""

    TOO_MANY_FIELDS = "too_many_fields"
    """The input has more values than `Limits.max_fields`."""

    TOO_MANY_CLASSES = "too_many_classes"
    """The output has more scores than `Limits.max_classes`."""

    TOO_MANY_MODELS = "too_many_models"
    """The partition has events of so many models already that there is no room for another."""

    UNSUPPORTED_SPECVERSION = "unsupported_specversion"
    """A CloudEvent of a version other than 1.0."""

    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    """A CloudEvent whose data, or a batch whose form, is not read here."""

    MISSING_ATTRIBUTE = "missing_attribute"
    """A CloudEvent without `id`, `source` or `type`."""

    MISSING_DATA = "missing_data"
    """A CloudEvent without `data` and `data_base64`."""

    AMBIGUOUS_DATA = "ambiguous_data"
    """A CloudEvent with both `data` and `data_base64`."""

    INVALID_BASE64 = "invalid_base64"
    """A CloudEvent's `data_base64` is not Base64."""
