"""openssl: digests and ciphers with known results, signatures, `speed -multi` (forked workers)."""

import base64
import re

from program_case import Run, main

SHA256_OF_ABC = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
# FIPS 197, appendix B
AES_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
AES_BLOCK = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
AES_RESULT = bytes.fromhex("3925841d02dc09fbdc118597196a0b32")


def without_figures(output: bytes) -> bytes:
    """Every number and the layout around it vary; which lines and columns there are does not."""
    lines = [b" ".join(re.sub(rb"[0-9.]+", b"N", line).split()) for line in output.splitlines()]
    # Workers and parent write in whatever order they get to run.
    return b"\n".join(sorted(lines))


def workload(run: Run) -> None:
    data = run.directory / "data"
    data.write_bytes(bytes(range(256)) * 8000)

    digest = run.command(["openssl", "dgst", "-sha256", "-r"], feed=b"abc").stdout
    run.expect(digest.startswith(SHA256_OF_ABC), f"sha256 of abc: {digest!r}")
    cipher = ["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", AES_KEY]
    block = run.command(cipher, feed=AES_BLOCK).stdout
    run.expect(block == AES_RESULT, f"AES of the standard's block: {block.hex()}")

    for name in ("-sha1", "-sha3-256", "-blake2b512", "-md5"):
        run.command(["openssl", "dgst", name, "data"])
    run.command(["openssl", "dgst", "-sha256", "-hmac", "key", "data"])
    secret = ["-aes-256-cbc", "-pbkdf2", "-S", "0011223344556677", "-pass", "pass:word"]
    run.command(["openssl", "enc", *secret, "-in", "data", "-out", "data.enc"])
    run.observe("ciphertext", (run.directory / "data.enc").read_bytes())
    run.command(["openssl", "enc", "-d", *secret, "-in", "data.enc", "-out", "data.again"])
    again = (run.directory / "data.again").read_bytes()
    run.expect(again == data.read_bytes(), "decryption does not bring back the data")
    # The error carries the thread's address.
    run.command(
        ["openssl", "enc", "-d", *secret[:-1], "pass:wrong", "-in", "data.enc", "-out", "garbage"],
        expect_status=1,
        normalise=lambda output: re.sub(rb"(?m)^[0-9A-F]+:", b"", output),
    )

    run.command(["openssl", "genpkey", "-quiet", "-algorithm", "ED25519", "-out", "key.pem"])
    run.command(["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"])
    pkeyutl = ["openssl", "pkeyutl", "-rawin", "-in", "data"]
    run.command([*pkeyutl, "-sign", "-inkey", "key.pem", "-out", "signature"])
    public = ["-pubin", "-inkey", "public.pem"]
    run.command([*pkeyutl, "-verify", *public, "-sigfile", "signature"])
    run.command(["openssl", "prime", "1000003", "1000001"])

    for algorithm in ("sha256", "aes-128-cbc"):
        speed = ["openssl", "speed", "-multi", "2", "-seconds", "1", "-bytes", "1024"]
        run.command([*speed, "-evp", algorithm], normalise=without_figures)
    encoded = run.start(["openssl", "base64", "-in", "/proc/self/maps"]).communicate()[0]
    decoded = base64.b64decode(encoded)
    run.expect_named_in(decoded, "openssl")


main("openssl", needs=["openssl"], workload=workload)
