"""Drawings of the labs' models: every arrow joins two boxes, no two boxes lie on each other, words come with it."""

import itertools

import pytest

from starter.support import diagrams, plots


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_arrows_join_boxes_and_boxes_keep_their_distance(name):
    _, boxes, arrows = diagrams.DIAGRAMS[name]
    ends = [end for arrow in arrows.split() for end in arrow.split(">")]
    assert set(ends) == set(boxes)
    for one, other in itertools.combinations(map(diagrams.place, boxes.values()), 2):
        assert abs(one[0] - other[0]) >= diagrams.WIDTH or abs(one[1] - other[1]) > diagrams.HEIGHT / 2


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_every_box_has_its_words_and_the_picture_says_which_leads_where(name, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt: shown.append((fig, alt)))
    diagrams.show(name)
    ((fig, alt),) = shown
    title, boxes, arrows = diagrams.DIAGRAMS[name]
    assert [text.get_text() for text in fig.axes[0].texts if text.get_text()] == [box.text for box in boxes.values()]
    assert alt.startswith(title) and alt.count(" to ") >= len(arrows.split())
