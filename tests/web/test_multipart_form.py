import pytest

from mailer.web.upload import find_file_name, read_boundary


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=----x7", b"----x7"),
        ('multipart/form-data; boundary="a b"', b"a b"),
        ("multipart/form-data", b""),
        ("application/x-www-form-urlencoded; boundary=x", b""),
        ("", b""),
    ],
)
def test_the_boundary_is_that_of_a_form_with_files(content_type: str, boundary: bytes) -> None:
    assert read_boundary(content_type) == boundary


@pytest.mark.parametrize(
    ("named", "name"),
    [
        ("letter.docx", "letter.docx"),
        ("C:\\Users\\Mei\\letter.docx", "letter.docx"),
        ("/home/mei/信.odt", "信.odt"),
        ("", ""),
    ],
)
def test_a_file_is_named_without_its_folder(named: str, name: str) -> None:
    head = f'Content-Disposition: form-data; name="document"; filename="{named}"\r\nContent-Type: x/y'
    assert find_file_name(head.encode()) == name


def test_a_long_name_keeps_its_ending() -> None:
    name = find_file_name(b'content-disposition: form-data; filename="' + 300 * b"x" + b'.docx"')
    assert name is not None
    assert (len(name), name[-5:]) == (200, ".docx")


def test_a_part_without_a_file_has_no_name() -> None:
    assert find_file_name(b'Content-Disposition: form-data; name="filename"') is None
