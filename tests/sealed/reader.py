"""Opens sealed logs: a second reader, made from docs/sealed-format.md.

`reader.py KEYFILE FILE...` prints the lines of a log's files, which are given oldest first. `reader.py KEYFILE --field TOKEN`
prints the value of a sealed field as JSON. It checks everything. What is wrong goes to stderr, and the exit status is 1; what
is intact is printed. Needs the packages cryptography, pyrage and zstandard.
"""

import base64, hashlib, hmac, os, re, struct, sys
import pyrage
import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MARK = b"\xfesealed\n"
BLOCK = struct.Struct(">8sBBHIIIQqqI16s32s")
BODY = struct.Struct(">16sQqQQ32s16sQ32s64s32s64s")
KINDS = LINES, END, RETENTION, COVERED = 1, 2, 3, 4
problems = []

def wrong(name, what):
    problems.append(what)
    print(f"{name}: {what}", file=sys.stderr)

def sha256(data):
    return hashlib.sha256(data).digest()

def extract(salt, secret):
    return hmac.digest(salt, secret, "sha256")

def expand(key, info, length):
    return HKDFExpand(hashes.SHA256(), length, info).derive(key)

def is_signed(key, label, digest, signature):
    try:
        return Ed25519PublicKey.from_public_bytes(key).verify(signature, label + digest) is None
    except (InvalidSignature, ValueError):
        return False

def decrypt(key, info, sealed, associated):
    derived = expand(key, info, 44)
    return AESGCMSIV(derived[:32]).decrypt(derived[32:], sealed, associated)

def take(data, at, length):
    if at + length > len(data):
        raise ValueError("it is cut")
    return data[at:at + length], at + length

def take_sized(data, at, size):
    length, at = take(data, at, size)
    return take(data, at, int.from_bytes(length, "big"))

class Segment:
    """A header, and what its blocks have told so far."""

    def __init__(self, name, data, identities):
        self.name = name
        start, at = take(data, 0, 24)
        magic, version, recipients, length = struct.unpack(">16sHHI", start)
        if magic != b"spanline-sealed\n":
            raise ValueError("no sealed file")
        recipients, at = take(data, at, recipients)
        sealed_for = "; sealed for " + recipients.decode().replace("\n", ", ")
        if version != 1:
            raise ValueError(f"version {version}{sealed_for}")
        body, at = take(data, at, length)
        signature, self.end = take(data, at, 64)
        (self.chain, self.number, _, self.first_line, self.mark, self.key, *previous,
         self.by_previous, self.signer, self.by_signer) = BODY.unpack_from(body)
        self.previous = tuple(previous)
        _log, rest = take_sized(body, BODY.size, 2)
        previous_name, rest = take_sized(body, rest, 2)
        wrapped, rest = take_sized(body, rest, 4)
        self.previous_name = previous_name.decode()
        if rest != length:
            raise ValueError("the header is damaged" + sealed_for)
        self.certified = sha256(body[:BODY.size - 160] + bytes(64) + self.signer + bytes(64) + body[BODY.size:])
        if not is_signed(self.key, b"spanline/1/header", sha256(data[:at]), signature):
            wrong(name, "the header was changed")
        try:
            self.chain_key = extract(b"spanline/1/chain", pyrage.decrypt(wrapped, identities))
        except pyrage.DecryptError as error:
            raise ValueError(f"{error}{sealed_for}") from error
        self.digests, self.covered = [sha256(data[:self.end])], {}
        self.next_line, self.position, self.is_ended = self.first_line, 0, False

    def read(self, data):
        """Yields the lines of intact blocks."""
        at = self.end
        while at < len(data):
            end, text = self.block(data, at) or (data.find(MARK, at + 1), None)
            end = len(data) if end < 0 else end
            if text is None:
                wrong(self.name, f"bytes {at} to {end} are no intact block")
            yield text or b""
            at = end

    def block(self, data, at):
        """Returns the end and the lines of the block at a place; None if it is not intact."""
        if at + BLOCK.size > len(data):
            return None
        head = data[at:at + BLOCK.size]
        mark, kind, covers, zeros, size, position, lines, line, _, _, length, fresh, before = BLOCK.unpack(head)
        proof = at + BLOCK.size + size
        end = proof if kind == COVERED else proof + 32 * covers + 64
        if mark != MARK or kind not in KINDS or zeros or covers > (kind == LINES) * 15 or end > len(data):
            return None
        payload, digest = data[at + BLOCK.size:proof], sha256(data[at:proof])
        digests = digest + data[proof:end - 64]
        is_right = self.covered.get(position) == digest if kind == COVERED else is_signed(
            self.key, b"spanline/1/block", digests, data[end - 64:end])
        if not is_right or max(size, length) > 64 << 20 or position < self.position:
            return None
        self.covered.update({position + i: digests[32 * i:32 * i + 32] for i in range(1, covers + 1)})
        if (position, line, before) != (self.position, self.next_line, self.digests[-1]):
            wrong(self.name, f"blocks are missing or replaced before block {position}")
        if self.is_ended:
            wrong(self.name, f"block {position} stands after the end")
        for _ in range(position - self.position):
            self.chain_key = expand(self.chain_key, b"spanline/1/next", 32)
        self.position, text = position, b""
        if kind in (LINES, COVERED):
            try:
                packed = decrypt(self.chain_key, b"spanline/1/batch" + fresh, payload, head)
                text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=length)
            except (InvalidTag, zstandard.ZstdError):
                return None
            if len(text) != length or text.count(b"\n") != lines or not text.endswith(b"\n"):
                wrong(self.name, f"block {position} has other lines than it says")
        elif lines or size != {END: 0, RETENTION: 8}[kind]:
            wrong(self.name, f"block {position} is none of its kind")
        elif kind == RETENTION:
            self.mark = max(self.mark, int.from_bytes(payload, "big"))
        self.digests.append(digest)
        self.chain_key = expand(self.chain_key, b"spanline/1/next", 32)
        self.position, self.next_line, self.is_ended = position + 1, line + lines, self.is_ended or kind == END
        return end, text

def compare(segments):
    """Compares each segment with the one that it names as the one before."""
    known = {(segment.chain, segment.number): segment for segment in segments}
    mark = max((segment.mark for segment in segments), default=0)
    vouched = set()
    for segment in segments:
        if known[segment.chain, segment.number] is not segment:
            wrong(segment.name, "another file has its place in the chain")
        chain, number, digest = segment.previous
        before = known.get((chain, number))
        goes_on = (chain, number) == (segment.chain, segment.number - 1)
        for key, certificate in ((before and goes_on and before.key, segment.by_previous), (segment.signer, segment.by_signer)):
            if key and any(key) and not is_signed(key, b"spanline/1/certificate", segment.certified, certificate):
                wrong(segment.name, "a certificate is wrong")
        if goes_on != any(segment.by_previous) or goes_on != (segment.number > 0):
            wrong(segment.name, "it does not go on with the segment before it")
        in_name = re.search(r"-(\d+)(\.[^.]*)?$", segment.previous_name)
        is_removed = in_name and int(in_name[1]) <= mark
        if before is None and chain != bytes(16) and len(segments) > 1 and not is_removed:
            wrong(segment.name, f"the file before it is missing: {segment.previous_name}")
        if before is not None:
            if before.digests[-1] != digest:
                wrong(before.name, "its end was removed or replaced")
            if goes_on and segment.first_line != before.next_line:
                wrong(segment.name, "its lines do not follow those of the segment before")
            vouched.add(before)
    for segment in segments:
        if not segment.is_ended and segment not in vouched:
            wrong(segment.name, "ended without a seal")

def open_field(token, identities):
    if not token.startswith("sealed:v1:"):
        raise ValueError("no sealed field")
    data = base64.urlsafe_b64decode(token[10:] + "==")
    wrapped, at = take_sized(data, 0, 2)
    _name, at = take_sized(data, at + 16 + 8 + 8, 1)
    fresh, at = take(data, at, 16)
    key = extract(b"spanline/1/field", pyrage.decrypt(wrapped, identities))
    return decrypt(key, b"spanline/1/field" + fresh, data[at:], data[:at])

def main(key_file, *arguments):
    with open(key_file, encoding="utf-8") as file:
        keys = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    identities = [pyrage.x25519.Identity.from_str(key) for key in keys]
    if arguments[0] == "--field":
        return sys.stdout.buffer.write(open_field(arguments[1], identities) + b"\n")
    segments = []
    for path in arguments:
        with open(path, "rb") as file:
            data = file.read()
        try:
            segments.append(Segment(os.path.basename(path), data, identities))
            sys.stdout.buffer.writelines(segments[-1].read(data))
        except (ValueError, struct.error) as error:
            wrong(os.path.basename(path), error)
    compare(segments)

main(*sys.argv[1:])
sys.exit(bool(problems))
