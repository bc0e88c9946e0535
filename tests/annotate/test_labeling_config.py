"""The labelling page's configuration says the label space, no more and no less."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rass_bench.annotate.labeling_config import (
    HOTKEYS,
    NO_HOTKEY,
    class_groups,
    class_titles,
    config_differences,
    config_fingerprint,
    config_labels,
    labeling_config,
)
from rass_bench.errors import UserError
from rass_bench.labels import LabelClass, LabelSpace, label_space_names, load_label_space

SPACES = label_space_names()
TOOL_KEYS = set("behkmopruvw[]")


def space_of(*names):
    return LabelSpace(
        "made-up",
        tuple(
            LabelClass(index, name, (), False, (index, 0, 0)) for index, name in enumerate(names)
        ),
    )


def labels_of(xml):
    return list(ET.fromstring(xml).iter("Label"))


@pytest.mark.parametrize("name", SPACES)
def test_each_class_is_one_label_in_its_own_colour(name):
    space = load_label_space(name)
    labels = {label.get("alias"): label for label in labels_of(labeling_config(space))}
    assert set(labels) == {"ignore", *(str(index) for index in range(space.size))}
    for entry in space.classes:
        label = labels[str(entry.id)]
        assert label.get("value").startswith(entry.name)
        assert label.get("background") == "#%02x%02x%02x" % entry.colour  # noqa: UP031


@pytest.mark.parametrize("name", SPACES)
def test_the_groups_hold_every_class_once(name):
    space = load_label_space(name)
    shown = [entry.id for group in class_groups(space) for entry in group.classes]
    assert sorted(shown) == list(range(space.size))
    assert all(0 < len(group.classes) <= 30 for group in class_groups(space))


def test_the_most_frequent_classes_have_a_key_that_no_tool_has():
    labels = labels_of(labeling_config(load_label_space("ade20k-150")))
    # To a label without a hotkey the page would give the next free key, a tool's perhaps.
    assert all(label.get("hotkey") for label in labels)
    keys = {
        label.get("alias"): label.get("hotkey")
        for label in labels
        if label.get("hotkey") != NO_HOTKEY
    }
    assert set(keys) == {"ignore", *(str(index) for index in range(20))}
    assert len(set(keys.values())) == len(keys)
    assert not TOOL_KEYS & {*keys.values(), *HOTKEYS}


def test_classes_that_share_a_name_are_told_apart():
    titles = class_titles(load_label_space("ade20k-150"))
    assert len(set(titles)) == 150
    assert titles[58] == "screen (door)"
    assert class_titles(space_of("ignore", "a")) == ("ignore (0)", "a")


@pytest.mark.parametrize("name", SPACES)
def test_label_studio_itself_accepts_it_and_names_results_by_class_id(name):
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    space = load_label_space(name)
    config = interface.LabelInterface(labeling_config(space))
    config.validate()

    def errors(label, control="classes"):
        region = {
            "id": "abc",
            "type": "brushlabels",
            "from_name": control,
            "to_name": "image",
            "original_width": 4,
            "original_height": 2,
            "value": {"format": "rle", "rle": [0, 0, 0, 32], "brushlabels": [label]},
        }
        return config.validate_prediction({"result": [region]}, return_errors=True)

    for label in ("0", str(space.size - 1), "ignore"):
        assert not errors(label)
    assert errors(str(space.size))
    assert errors("0", control="tag")


HOSTILE = ['"><script>alert(1)</script>', "a & b", "'; DROP TABLE task; --", "<!-- <x>", "&lt;"]


def test_hostile_class_names_stay_text():
    xml = labeling_config(space_of(*HOSTILE))
    assert [label.get("value") for label in labels_of(xml)][1:] == HOSTILE
    assert {element.tag for element in ET.fromstring(xml).iter()} == {
        "View", "Filter", "BrushLabels", "Header", "Label", "Image",
    }  # fmt: skip


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=5, unique=True))
def test_any_name_is_shown_as_it_is_or_refused(names):
    try:
        xml = labeling_config(space_of(*names))
    except UserError as error:
        assert "cannot be shown" in str(error)
        return
    shown = [label.get("value") for label in labels_of(xml)][1:]
    assert [title.removesuffix(f" ({index})") for index, title in enumerate(shown)] == names


def test_the_fingerprint_sees_what_results_mean_and_not_how_the_page_looks():
    space = load_label_space("camvid-11")
    xml = labeling_config(space)
    same = xml.replace("300px", "400px").replace("#808080", "#818181").replace("\n", " ")
    assert same != xml
    assert config_fingerprint(same) == config_fingerprint(xml)
    for meant in (
        xml.replace('alias="3"', 'alias="33"'),
        xml.replace('value="sky"', 'value="heaven"'),
        xml.replace("BrushLabels", "PolygonLabels"),
        xml.replace('name="classes"', 'name="tag"'),
        xml.replace("$image", "$photo"),
        labeling_config(replace(space, classes=space.classes[:-1])),
    ):
        assert config_fingerprint(meant) != config_fingerprint(xml)


def test_differences_are_named():
    xml = labeling_config(load_label_space("camvid-11"))
    edited = xml.replace('alias="3"', 'alias="33"').replace('value="sky"', 'value="heaven"')
    assert config_differences(xml, edited) == [
        "label '3' (road) is gone",
        "label '33' (road) is new",
        "label '0' is 'heaven' instead of 'sky'",
    ]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda xml: xml.replace('alias="3"', 'alias="4"'), "two labels have the alias '4'"),
        (lambda xml: xml.replace('"road"', '"sky"'), "two labels have the title 'sky'"),
        (lambda xml: xml[:-9], "no well-formed XML"),
        (lambda xml: '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml, "declares entities"),
        (lambda xml: xml + " " * 1_000_000, "too long"),
    ],
)
def test_a_broken_configuration_is_refused(edit, reason):
    xml = labeling_config(load_label_space("camvid-11"))
    with pytest.raises(UserError, match=reason):
        config_labels(edit(xml))
