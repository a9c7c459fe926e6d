"""`data.classes`, `data.label_names` and `data.background`, applied after any reader."""

import pytest

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest
from auricle.data.labels import choose_labels, read_classes, read_label_names


@pytest.fixture
def listing(tmp_path):
    """Write a file of classes or names and return its path."""

    def write(content: str | bytes, name: str = "classes.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def manifest_of(*labels: str | tuple[str, ...], **fields) -> Manifest:
    held = [(label,) if isinstance(label, str) else label for label in labels]
    clips = [Clip(f"{at}.wav", labels=names) for at, names in enumerate(held)]
    return Manifest.of(clips, **fields)


def choose(manifest: Manifest, *, lenient: bool = False, **options) -> Manifest:
    options = {key: str(value) for key, value in options.items()}
    return choose_labels(manifest, DataConfig.model_validate(options), lenient=lenient)


def held(manifest: Manifest) -> list[tuple[str, tuple[str, ...]]]:
    return [(clip.path, clip.labels) for clip in manifest.clips]


def noted(manifest: Manifest, *words: str) -> bool:
    return any(all(word in note for word in words) for note in manifest.notes)


# --- reading the files


@pytest.mark.parametrize(
    ("content", "name", "classes"),
    [
        ("dog\ncat\n", "a.txt", ("dog", "cat")),
        ("\ufeffdog\r\n\r\n# a comment\r\n  cat  \r\ndog\r\n", "a.txt", ("dog", "cat")),
        ("Male speech, man speaking\nDog\n", "a.txt", ("Male speech, man speaking", "Dog")),
        ("/m/05zppz\t12\n/m/0lyf6\t3\n", "a.txt", ("/m/05zppz", "/m/0lyf6")),
        ("id\tlabel\n/m/1\tDog\n/m/2\tCat\n", "a.tsv", ("Dog", "Cat")),
        ('"Male speech, man",3\nDog,4\n', "a.csv", ("Male speech, man", "Dog")),
        ('index,mid,display_name\n0,/m/1,"A, b"\n1,/m/2,C\n', "a.csv", ("A, b", "C")),
        ("mid;times\n/m/1;3\n", "a.csv", ("/m/1",)),
        ("label\ndog\n", "a.csv", ("dog",)),
        ("label\ndog\n", "a.txt", ("label", "dog")),
        ("Vögel\nRegen\n".encode("utf-16"), "a.txt", ("Vögel", "Regen")),
        ("Vögel\n".encode("latin-1"), "a.txt", ("Vögel",)),
    ],
)
def test_a_list_of_classes(listing, content, name: str, classes: tuple[str, ...]):
    assert read_classes(listing(content, name)) == classes


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing but this\n", "\ufeff"])
def test_a_list_without_a_class_is_refused(listing, content: str):
    with pytest.raises(DataError, match="names no class"):
        read_classes(listing(content))


def test_a_sound_is_no_list_of_classes(listing):
    with pytest.raises(DataError, match="at most 200 characters"):
        read_classes(listing(b"RIFF" + bytes(range(14, 256)) * 9))


def test_a_list_that_is_not_there_is_named_with_its_key(tmp_path):
    for read, key in ((read_classes, "classes"), (read_label_names, "label_names")):
        for path in (tmp_path / "none.txt", tmp_path):
            with pytest.raises(DataError, match=rf"--data\.{key}: .*cannot be read"):
                read(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("id\tlabel\n/m/1\tDog\n/m/2\tMale speech, man\n", "names.tsv"),
        ('index,mid,display_name\n0,/m/1,Dog\n1,/m/2,"Male speech, man"\n', "names.csv"),
        ("/m/1\tDog\n/m/2\tMale speech, man\n", "names.tsv"),
        ('/m/1,Dog\n# note\n\n/m/2,"Male speech, man"\n', "names.txt"),
        ("label;id\nDog;/m/1\nMale speech, man;/m/2\n", "names.csv"),
    ],
)
def test_a_table_of_label_names(listing, content: str, name: str):
    assert read_label_names(listing(content, name)) == {"/m/1": "Dog", "/m/2": "Male speech, man"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "table of ids and names"),
        ("dog\ncat\n", "table of ids and names"),
        ("a,b,c\n1,2,3\n", "table of ids and names"),
        ("id,label\n", "names no id"),
        ("id,label\n1\n", "lacks its id or its name"),
        ("id,label\n1,dog\n1,cat\n", "'1' has two names"),
    ],
)
def test_a_table_of_label_names_that_cannot_be_used(listing, content: str, words: str):
    with pytest.raises(DataError, match=words):
        read_label_names(listing(content, "names.csv"))


# --- ids to names


def test_ids_become_names_and_the_order_is_theirs(listing):
    names = listing("id,label\n1,zebra\n2,ant\n", "names.csv")
    chosen = choose(manifest_of("1", "2", "1"), label_names=names)
    assert chosen.labels == ("ant", "zebra")
    assert [labels for _, labels in held(chosen)] == [("zebra",), ("ant",), ("zebra",)]
    assert not chosen.notes


def test_an_order_that_a_reader_fixed_is_kept(listing):
    names = listing("id,label\nb,ant\na,zebra\n", "names.csv")
    chosen = choose(manifest_of("a", "b", labels=("b", "a")), label_names=names)
    assert chosen.labels == ("ant", "zebra")


def test_two_ids_of_one_name_are_one_class(listing):
    names = listing("id,label\n1,dog\n2,dog\n3,cat\n", "names.csv")
    chosen = choose(manifest_of(("1", "2"), ("3",), ()), label_names=names)
    assert chosen.labels == ("cat", "dog")
    assert [labels for _, labels in held(chosen)] == [("dog",), ("cat",), ()]
    assert noted(chosen, "1 label joined another", "dog")


def test_labels_that_the_table_lacks_keep_their_names(listing):
    names = listing("id,label\n1,dog\n", "names.csv")
    chosen = choose(manifest_of("1", "owl"), label_names=names)
    assert chosen.labels == ("dog", "owl")
    assert noted(chosen, "1 label that names.csv does not name", "owl")


def test_data_that_have_names_already_are_left_alone(listing):
    names = listing("id,label\n1,dog\n2,cat\n", "names.csv")
    manifest = manifest_of("dog", "cat")
    assert held(choose(manifest, label_names=names)) == held(manifest)


def test_a_table_of_other_ids_is_refused(listing):
    names = listing("id,label\n1,dog\n", "names.csv")
    with pytest.raises(DataError, match="no label of the data is an id in it"):
        choose(manifest_of("x", "y"), label_names=names)


# --- classes


def test_classes_are_kept_in_the_order_of_the_list(listing):
    chosen = choose(manifest_of("a", "b", "c", "a"), classes=listing("c\na\n"))
    assert chosen.labels == ("c", "a")
    assert held(chosen) == [("0.wav", ("a",)), ("2.wav", ("c",)), ("3.wav", ("a",))]
    assert noted(chosen, "1 clip of classes that classes.txt lacks are left out", "b")


def test_clips_without_a_class_stay_in_multi_label_data(listing):
    manifest = manifest_of(("a", "b"), ("b",), ("c", "a"), ())
    chosen = choose(manifest, classes=listing("c\na\n"))
    assert chosen.multi_label
    assert [labels for _, labels in held(chosen)] == [("a",), (), ("c", "a"), ()]
    assert noted(chosen, "dropped (b)", "1 clip without another stay")


@pytest.mark.parametrize("chosen_by", ["classes", "background"])
def test_an_event_that_lost_its_label_is_no_example_of_none_where_another_sounds(
    listing, chosen_by
):
    """Music under a whole recording, dropped, must not say that nobody speaks in it."""
    rows = [
        ("a.wav", "Music", 0.0, 10.0),
        ("a.wav", "Speech", 2.0, 3.0),
        ("a.wav", "Music", 3.0, 4.0),
        ("a.wav", "Music", 2.5, 2.6),
        ("b.wav", "Music", 2.0, 3.0),
        ("c.wav", "Speech", 5.0, None),
        ("c.wav", "Music", 8.0, 9.0),
        ("c.wav", "Music", 0.0, None),
        ("c.wav", "Music", 1.0, 5.0),
    ]
    manifest = Manifest.of(
        (Clip(path, (label,), onset, offset) for path, label, onset, offset in rows),
        multi_label=True,
    )
    option = {"classes": listing("Speech\n")} if chosen_by == "classes" else {"background": "Music"}
    chosen = choose(manifest, **option)
    assert [(clip.path, clip.labels, clip.onset_s) for clip in chosen.clips] == [
        ("a.wav", ("Speech",), 2.0),
        ("a.wav", (), 3.0),
        ("b.wav", (), 2.0),
        ("c.wav", ("Speech",), 5.0),
        ("c.wav", (), 1.0),
    ]
    assert noted(chosen, "3 clips", "examples of none", "4 that others with a label lie over")


@pytest.mark.parametrize("entry", ["/m/2\n/m/1\n", "Cat\nDog\n", "/m/2\nDog\n", "Cat\n/m/2\n/m/1"])
def test_a_list_may_hold_ids_or_names(listing, entry: str):
    names = listing("id\tlabel\n/m/1\tDog\n/m/2\tCat\n/m/3\tOwl\n", "names.tsv")
    chosen = choose(manifest_of("/m/1", "/m/2", "/m/3"), classes=listing(entry), label_names=names)
    assert chosen.labels == ("Cat", "Dog")


def test_a_class_without_a_clip_keeps_its_place(listing):
    chosen = choose(manifest_of("a", "c"), classes=listing("a\nb\nc\n"))
    assert chosen.labels == ("a", "b", "c")
    assert noted(chosen, "1 class of classes.txt without a clip: b")


def test_a_class_that_looks_misspelt_is_asked_about(listing):
    chosen = choose(manifest_of("rain", "chainsaw"), classes=listing("rain\nchainsw\n"))
    assert noted(chosen, "Is 'chainsw' the 'chainsaw' of the data?")


@pytest.mark.parametrize("written", ["Sea Waves", "sea-waves", "SEA_WAVES"])
def test_a_class_that_differs_by_case_or_blanks_only_is_refused(listing, written: str):
    manifest = manifest_of("rain", "sea waves")
    with pytest.raises(DataError, match=f"unknown class '{written}'; the data has 'sea waves'"):
        choose(manifest, classes=listing(f"rain\n{written}\n"))


def test_a_class_that_neither_data_nor_names_know_is_refused(listing):
    names = listing("id,label\n1,Siren\n2,Dog\n", "names.csv")
    with pytest.raises(DataError, match=r"unknown class 'Sirene'.*did you mean 'Siren'"):
        choose(manifest_of("1", "2"), classes=listing("Dog\nSirene\n"), label_names=names)


def test_a_list_of_none_of_the_classes_is_refused(listing):
    with pytest.raises(DataError, match=r"none of its classes \(x, y\); it has a, b.*label_names"):
        choose(manifest_of("a", "b"), classes=listing("x\ny\n"))


def test_what_a_manifest_says_besides_is_kept(listing):
    manifest = manifest_of(
        "a", "b", notes=("n",), group_declared=True, missing=("m",), rejected=("r",)
    )
    chosen = choose(manifest, classes=listing("a\n"))
    assert (chosen.group_declared, chosen.missing, chosen.rejected) == (True, ("m",), ("r",))
    assert chosen.notes[0] == "n"


# --- none of these


def test_the_background_of_single_label_data_stays_a_class(listing):
    chosen = choose(manifest_of("a", "b", "noise"), background="noise")
    assert chosen.labels == ("a", "b", "noise")
    assert noted(chosen, "'noise' means none of the others")


def test_the_background_of_multi_label_data_is_no_class():
    chosen = choose(manifest_of(("a", "noise"), ("noise",), ("b",)), background="noise")
    assert chosen.labels == ("a", "b")
    assert [labels for _, labels in held(chosen)] == [("a",), (), ("b",)]
    assert noted(chosen, "1 clip labelled 'noise' are examples of none")
    assert noted(chosen, "1 clip labelled 'noise' have other labels too")


def test_the_background_need_not_stand_in_the_list_of_classes(listing):
    chosen = choose(manifest_of("a", "b", "noise"), classes=listing("b\n"), background="noise")
    assert chosen.labels == ("b", "noise")


@pytest.mark.parametrize(("given", "hint"), [("Noise", "noise"), ("nosie", "noise")])
def test_a_background_that_the_data_lack_is_refused(given: str, hint: str):
    with pytest.raises(DataError, match=f"{given}: the data has no such label.*'{hint}'"):
        choose(manifest_of("a", "noise"), background=given)


def test_a_background_that_is_given_by_its_id_is_named(listing):
    names = listing("id,label\n1,dog\n2,noise\n", "names.csv")
    with pytest.raises(DataError, match="did you mean 'noise'"):
        choose(manifest_of("1", "2"), label_names=names, background="2")


def test_data_to_judge_on_may_lack_the_background():
    manifest = manifest_of("a", "b")
    assert choose(manifest, background="noise", lenient=True) == manifest


# --- through a reader, on real labels


def test_read_dataset_applies_them(table, read, listing):
    path = table("path,label\na.wav,1\nb.wav,2\nc.wav,3\n", "a.wav", "b.wav", "c.wav")
    manifest = read(
        path,
        label_names=str(listing("id,label\n1,dog\n2,cat\n3,owl\n", "names.csv")),
        classes=str(listing("owl\ndog\n")),
    )
    assert manifest.labels == ("owl", "dog")
    assert len(manifest.clips) == 2


def test_the_selected_classes_of_audioset_strong(auricle_data):
    folder = auricle_data / "data" / "audioset_strong"
    classes = read_classes(folder / "selected_classes.txt")
    names = read_label_names(folder / "class_labels.tsv")
    assert len(classes) == 110
    assert len(names) == 601
    assert names["/m/05zppz"] == "Male speech, man speaking"
    assert set(classes) <= set(names)
