"""The DKIM keys that ``[dkim]`` sets, and what is said of keys that cannot be used."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from mailer.dispatch.sending_settings import load_signer
from mailer.errors import ConfigurationError
from mailer.settings import DkimSettings, SenderSettings, Settings
from mailer.smtp.dkim import DkimSigner
from tests.factories.dkim import MESSAGE, NOW, to_pem, verify, write_keys
from tests.paths import ROOT

RSA = {"selector": "news1", "key_file": "rsa.pem"}
ED25519 = {"ed25519_selector": "news2", "ed25519_key_file": "ed25519.pem"}


def make_settings(address: str = "news@example.org", **values: str) -> Settings:
    sender = SenderSettings(name="Us", address=address, organisation="Us", postal_address="1 Street")
    return Settings(sender=sender, dkim=DkimSettings.model_validate(values))


def open_signer(root: Path, **values: str) -> DkimSigner:
    signer = load_signer(make_settings(**values), root)
    assert signer is not None
    return signer


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def keys(rsa_key: RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an RSA key and an Ed25519 key."""
    return write_keys(tmp_path_factory.mktemp("keys"), rsa_key)


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    assert load_signer(make_settings(), tmp_path) is None


def test_cryptography_is_not_imported_without_a_key() -> None:
    program = (
        "import sys; from pathlib import Path; from mailer.dispatch.sending_settings import load_signer; "
        "from mailer.settings import SenderSettings, Settings; "
        "who = SenderSettings(name='U', address='u@a.org', organisation='U', postal_address='1 Road'); "
        "assert load_signer(Settings(sender=who), Path()) is None; "
        "sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_the_commands_in_the_guide_make_the_keys_and_print_the_records(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "dkim.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    (section,) = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["sh", "-e"], input=commands, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    signer = open_signer(tmp_path, **tomllib.loads(section)["dkim"])
    assert [record.text for record in signer.records] == done.stdout.splitlines()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert verify(signer.sign(MESSAGE, now=NOW), signer) == [True, True]


def test_the_signing_domain_is_the_senders_unless_another_is_set(keys: Path) -> None:
    assert open_signer(keys, **RSA).records[0].name == "news1._domainkey.example.org"
    named = open_signer(keys, **RSA, domain="News.Example.org")
    assert named.records[0].name == "news1._domainkey.news.example.org"


def test_an_international_domain_is_signed_in_ascii(keys: Path) -> None:
    signer = open_signer(keys, address="news@bücher.example", **RSA)
    assert signer.records[0].name == "news1._domainkey.xn--bcher-kva.example"
    assert verify(signer.sign(MESSAGE, now=NOW), signer) == [True]


def test_an_rsa_key_below_2048_bits_is_refused(tmp_path: Path) -> None:
    weak = generate_private_key(public_exponent=65537, key_size=1024)
    (tmp_path / "rsa.pem").write_bytes(to_pem(weak))
    with pytest.raises(ConfigurationError) as caught:
        load_signer(make_settings(**RSA), tmp_path)
    assert str(caught.value) == (
        f"[dkim] key_file: {tmp_path}/rsa.pem has 1024 bits, but receivers require 2048. "
        f"Make one with `openssl genrsa -out {tmp_path}/rsa.pem 2048`."
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            RSA | {"key_file": "gone.pem"},
            r"key_file: .*gone\.pem cannot be read: No such file .*openssl genrsa",
        ),
        (RSA | {"key_file": "."}, r"key_file: .* cannot be read: Is a directory\. .*openssl genrsa"),
        (
            RSA | {"key_file": "text.pem"},
            r"key_file: .*text\.pem does not contain a private key in PEM format\. .*openssl genrsa",
        ),
        (RSA | {"key_file": "locked.pem"}, r"key_file: .*locked\.pem is protected by a passphrase"),
        (RSA | {"key_file": "ed25519.pem"}, r"key_file: .*ed25519\.pem is not an RSA key\. .*openssl genrsa"),
        (
            ED25519 | {"ed25519_key_file": "rsa.pem"},
            r"ed25519_key_file: .*rsa\.pem is not an Ed25519 key\. .*genpkey",
        ),
        (ED25519 | {"ed25519_key_file": "gone.pem"}, r"ed25519_key_file: .*gone\.pem cannot be read"),
        ({"key_file": "rsa.pem"}, r"\[dkim\] selector is missing"),
        ({"ed25519_key_file": "ed25519.pem"}, r"\[dkim\] ed25519_selector is missing"),
        (RSA | {"selector": "a b"}, r"selector = 'a b' cannot be part of a DNS name"),
        (RSA | {"selector": "a;b"}, r"selector = 'a;b' cannot be part of a DNS name"),
        (RSA | ED25519 | {"ed25519_selector": "NEWS1"}, r"selector and ed25519_selector are the same"),
        (RSA | {"domain": "not a domain"}, r"\[dkim\] domain = 'not a domain' is invalid"),
        (RSA | {"domain": "a.example;d=b.example"}, r"\[dkim\] domain = .* is invalid"),
    ],
)
def test_the_error_for_an_unusable_key_says_what_to_do(
    keys: Path, tmp_path: Path, rsa_key: RSAPrivateKey, values: dict[str, str], words: str
) -> None:
    for path in keys.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "text.pem").write_text("v=DKIM1; k=rsa")
    (tmp_path / "locked.pem").write_bytes(to_pem(rsa_key, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigurationError, match=words):
        load_signer(make_settings(**values), tmp_path)
