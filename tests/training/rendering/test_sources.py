import hashlib
import io
import json
import logging
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from file_server import serving

from cocola_metric.errors import CocolaError
from cocola_metric.training.rendering import commands, downloads, render, sources
from cocola_metric.training.rendering.downloads import Archive, SingleFiles
from cocola_metric.training.rendering.recipes import tracker_modules
from cocola_metric.training.rendering.registry import RECIPES
from cocola_metric.training.rendering.sources import SOURCES, Source, check, fetch, manifest_sha256

TUNES = {"first tune.mid": b"MThd one" * 40_000, "second.mid": b"MThd two"}
KEPT = sum(map(len, TUNES.values()))
COMMIT = "music-0123abc"
NAME = "Tunes for tests"
MEMBERS = r"music/([^/]+\.mid)"


def expected_sha256(files):
    """The checksum as `sha256sum * | sha256sum` would give it, written out once more."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pack(files, links=()):
    """A .tar.gz as GitHub makes them: everything lies in one folder named after the commit."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=0) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return packed.getvalue()


def in_archive(tunes):
    return {f"{COMMIT}/README.md": b"read me", f"{COMMIT}/other/third.mid": b"MThd"} | {
        f"{COMMIT}/music/{name}": content for name, content in tunes.items()
    }


@pytest.fixture
def server():
    with serving({"/a.tar.gz": pack(in_archive(TUNES))}) as started:
        yield started


@pytest.fixture(autouse=True)
def direct_and_impatient(monkeypatch):
    monkeypatch.setattr("cocola_metric.downloads.RETRY_WAITS", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def add_source(monkeypatch):
    def add(origin, files=TUNES):
        monkeypatch.setitem(SOURCES, NAME, Source("CC0-1.0", origin, (expected_sha256(files),), folder="scores/tunes"))

    return add


@pytest.fixture
def archive(server, add_source):
    add_source(Archive(f"{server.url}/a.tar.gz", MEMBERS, r"\1", KEPT))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what arrives -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("archive")
def test_an_archive_is_fetched_once(server, tmp_path):
    folder = fetch(NAME, tmp_path)
    assert contents(tmp_path) == {f"scores/tunes/{name}": content for name, content in TUNES.items()}
    assert fetch(NAME, tmp_path) == folder == tmp_path / "scores/tunes"
    assert server.requests == ["/a.tar.gz"]


def test_single_files_are_fetched_without_blanks(server, add_source, tmp_path):
    server.files = {f"/midi/{name}": content for name, content in TUNES.items()}
    kept = {name.replace(" ", "_"): content for name, content in TUNES.items()}
    add_source(SingleFiles(f"{server.url}/midi/", tuple(TUNES), KEPT), kept)
    assert contents(fetch(NAME, tmp_path)) == kept
    assert server.requests == [f"/midi/{name}" for name in TUNES]


@pytest.mark.usefixtures("archive")
def test_a_cut_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [100_000, 50_000]
    assert contents(fetch(NAME, tmp_path)) == TUNES
    assert server.requests == ["/a.tar.gz", "/a.tar.gz bytes=100000-", "/a.tar.gz bytes=150000-"]


@pytest.mark.usefixtures("archive")
def test_a_cut_transfer_begins_anew_where_the_server_knows_no_ranges(server, tmp_path):
    server.cuts, server.knows_ranges = [100_000], False
    assert contents(fetch(NAME, tmp_path)) == TUNES
    assert len(server.requests) == 2


@pytest.mark.usefixtures("archive")
def test_a_busy_server_is_asked_again(server, tmp_path):
    server.statuses = [503, 429]
    assert contents(fetch(NAME, tmp_path)) == TUNES


@pytest.mark.usefixtures("archive")
def test_a_refused_range_begins_anew(server, tmp_path):
    server.cuts, server.statuses = [100_000], [200, 416]
    assert contents(fetch(NAME, tmp_path)) == TUNES
    assert server.requests[-1] == "/a.tar.gz"


# --- what goes wrong: one message, nothing left behind ------------------------------------------------------------


def assert_refused(folder, message):
    with pytest.raises(CocolaError, match=message) as caught:
        fetch(NAME, folder)
    assert not contents(folder)
    assert not [path for path in folder.rglob("*") if path.name != "scores"]
    return str(caught.value)


@pytest.mark.usefixtures("archive")
def test_a_transfer_that_is_always_cut_is_given_up(server, tmp_path):
    server.cuts = [10, 10, 10]
    message = assert_refused(tmp_path, r"a\.tar\.gz cannot be fetched \(.*bytes.*\)")
    assert "sources --fetch FOLDER` where there is a network" in message


@pytest.mark.usefixtures("archive")
def test_a_cut_that_the_transfer_does_not_show_is_found_in_the_archive(server, tmp_path):
    server.cuts, server.announces_length = [100_000], False
    assert_refused(tmp_path, r"no whole \.tar\.gz arrived .* fetch it again")


@pytest.mark.usefixtures("archive")
def test_other_music_than_expected_is_refused(server, tmp_path):
    other = TUNES | {"second.mid": b"MThd 2wo"}
    server.files["/a.tar.gz"] = pack(in_archive(other))
    message = assert_refused(tmp_path, f"{NAME}: .* gave .* files of checksum")
    assert f"2 files of checksum {expected_sha256(other)}, not {expected_sha256(TUNES)}" in message


@pytest.mark.usefixtures("archive")
def test_an_address_that_is_gone_is_named_and_not_asked_again(server, tmp_path):
    server.files.clear()
    assert_refused(tmp_path, r"/a\.tar\.gz: the server answers 404 Not Found; tell us")
    assert len(server.requests) == 1


@pytest.mark.usefixtures("archive")
def test_a_page_instead_of_an_archive_is_refused(server, tmp_path):
    server.files["/a.tar.gz"] = b"<html>Please log in</html>"
    assert_refused(tmp_path, r"no whole \.tar\.gz")


def test_no_server_at_all(add_source, tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    add_source(Archive(f"http://127.0.0.1:{port}/a.tar.gz", MEMBERS, r"\1", KEPT))
    assert_refused(tmp_path, r"cannot be fetched \(Connection refused\); try again later")


@pytest.mark.parametrize(
    "name", [f"{COMMIT}/music/../../../evil.mid", f"/{COMMIT}/music/evil.mid", "../evil.mid", f"{COMMIT}/../evil.mid"]
)
@pytest.mark.usefixtures("archive")
def test_no_member_leads_out_of_the_folder(server, tmp_path, name):
    server.files["/a.tar.gz"] = pack(in_archive(TUNES) | {name: b"MThd evil"})
    inner = tmp_path / "deep" / "sources"
    inner.mkdir(parents=True)
    assert_refused(inner, "unexpected content .*evil.mid")
    assert not contents(tmp_path)


@pytest.mark.usefixtures("archive")
def test_links_are_not_followed(server, tmp_path):
    secret = tmp_path / "secret.mid"
    secret.write_bytes(b"MThd secret")
    server.files["/a.tar.gz"] = pack(in_archive(TUNES), links=[(f"{COMMIT}/music/third.mid", str(secret))])
    assert contents(fetch(NAME, tmp_path / "sources")) == TUNES


@pytest.mark.usefixtures("archive")
def test_more_than_there_was_is_not_unpacked(server, tmp_path):
    server.files["/a.tar.gz"] = pack(in_archive(TUNES | {"third.mid": b"x"}))
    assert_refused(tmp_path, "unexpected content .*third.mid")


@pytest.mark.usefixtures("archive")
def test_a_folder_that_is_taken_is_left_alone(server, tmp_path):
    own = tmp_path / "scores" / "tunes" / "mine.mid"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"MThd mine")
    with pytest.raises(CocolaError, match=f"tunes holds something other than {NAME}; move it away"):
        fetch(NAME, tmp_path)
    assert not server.requests and own.read_bytes() == b"MThd mine"


@pytest.mark.usefixtures("archive")
def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(CocolaError, match=r"tunes cannot be written .*name another folder"):
        fetch(NAME, tmp_path)
    assert not server.requests


def test_what_packages_bring_is_not_downloaded(tmp_path):
    with pytest.raises(CocolaError, match=r"Planet Blupi is not downloaded; apt-get install planetblupi-music-midi"):
        fetch("Planet Blupi", tmp_path)


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_recipe_names_sources_with_licence_and_checksum():
    named = {source for recipe in RECIPES.values() for source in recipe.sources}
    assert named == set(SOURCES)
    for source in SOURCES.values():
        assert source.licence
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in source.sha256)
        assert source.folder or source.installed or "music21" in str(source.origin)
    for recipe in RECIPES.values():
        assert list(recipe.licences) == list(recipe.sources)
    assert RECIPES["modules"].licences == tracker_modules.LICENCES


@pytest.mark.parametrize("name", [name for name in SOURCES if sources.can_be_fetched(name)])
def test_addresses_are_of_one_commit(name):
    assert sum(len(part.removesuffix(".tar.gz")) == 40 for part in SOURCES[name].origin.url.split("/")) == 1
    assert SOURCES[name].folder.startswith("scores/")


@pytest.mark.parametrize(
    ("name", "path", "kept"),
    [
        (
            "OpenScore String Quartets",
            "scores/Ravel,_Maurice/String_Quartet_in_F_major/sq8482283.mxl",
            "Ravel,_Maurice__String_Quartet_in_F_major__sq8482283.mxl",
        ),
        ("OpenScore String Quartets", "scores/Ravel,_Maurice/String_Quartet_in_F_major/sq8482283.pdf", None),
        ("Freedoom", "musics/d_e1m1.mid", "d_e1m1.mid"),
        ("Nottingham dataset (jukedeck)", "MIDI/jigs107.mid", "jigs107.mid"),
        ("Nottingham dataset (jukedeck)", "MIDI/melody/jigs107.mid", None),
    ],
)
def test_what_is_kept_of_the_archives(tmp_path, name, path, kept):
    archive = SOURCES[name].origin
    (tmp_path / "a.tar.gz").write_bytes(pack({f"{COMMIT}/{path}": b"music"}))
    (tmp_path / "files").mkdir()
    downloads.unpack(tmp_path / "a.tar.gz", archive, tmp_path / "files")
    assert list(contents(tmp_path / "files")) == ([kept] if kept else [])


def test_the_checksum_minds_names_and_contents_but_not_folders(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        for name, content in TUNES.items():
            (tmp_path / folder / name).write_bytes(content)
    here, there = (manifest_sha256((tmp_path / folder).iterdir()) for folder in ("here", "there"))
    assert here == there == expected_sha256(TUNES)
    (tmp_path / "there" / "second.mid").rename(tmp_path / "there" / "third.mid")
    assert manifest_sha256((tmp_path / "there").iterdir()) != here


def test_the_shared_sources_are_the_known_ones(shared):
    files = {
        "OpenScore String Quartets": 122,
        "Freedoom": 112,
        "Tanner Helland, free music": 47,
        "Nottingham dataset (jukedeck)": 1034,
        "LMMS demo projects": 344,
    }
    report = check(shared(SOURCES["OpenScore String Quartets"].folder).parents[1], list(files))
    assert {name: (found["files"], found["known"]) for name, found in report.items()} == {
        name: (count, True) for name, count in files.items()
    }


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def only_tunes(monkeypatch, archive):
    """One source, and one recipe that draws from it."""
    for name in list(SOURCES):
        if name != NAME:
            monkeypatch.delitem(SOURCES, name)
    recipe = RECIPES["quartets"]
    monkeypatch.setattr(render, "RECIPES", {"quartets": type(recipe)(**{**vars(recipe), "sources": (NAME,)})})
    monkeypatch.setattr(render, "find_sound_fonts", lambda: ())


@pytest.mark.usefixtures("only_tunes")
def test_the_command_fetches_and_checks(tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    assert commands.sources(["--check", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)[NAME]["known"] is None
    assert f"--fetch downloads {NAME} (CC0-1.0) from http://127.0.0.1" in caplog.text
    assert "an archive of unknown size, of which 0.3 MB are kept" in caplog.text

    assert commands.sources(["--fetch", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)[NAME]
    assert report == {"licence": "CC0-1.0", "files": 2, "sha256": expected_sha256(TUNES), "known": True}

    (tmp_path / "scores/tunes/second.mid").write_bytes(b"damaged")
    assert commands.sources(["--check", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)[NAME]["known"] is False


@pytest.mark.usefixtures("only_tunes")
def test_rendering_downloads_only_when_told_to(server, tmp_path, caplog):
    command = [str(tmp_path / "out"), "--sources", str(tmp_path), "--corpora", "chorus"]
    with pytest.raises(SystemExit, match="1"):
        commands.render(command)
    assert not server.requests
    assert "recipe quartets left out: no .mxl score" in caplog.text
    assert f"--fetch downloads {NAME} (CC0-1.0) from {server.url}/a.tar.gz" in caplog.text

    with pytest.raises(SystemExit, match="1"):  # tunes are no quartets
        commands.render([*command, "--fetch"])
    assert contents(tmp_path / "scores/tunes") == TUNES
    assert server.requests == ["/a.tar.gz"]


@pytest.mark.usefixtures("only_tunes")
def test_rendering_stops_where_a_download_fails(server, tmp_path, capsys):
    server.files.clear()
    with pytest.raises(SystemExit, match="1"):
        commands.render([str(tmp_path / "out"), "--sources", str(tmp_path), "--corpora", "chorus", "--fetch"])
    error = capsys.readouterr().err
    assert error.startswith("render: ") and "the server answers 404" in error
