"""Drawings of the labs' models: every arrow joins two boxes, no two boxes lie on each other, words come with it."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.text import Text

from starter.support import alt_text, diagrams, plots


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_arrows_join_boxes_and_boxes_keep_their_distance(name):
    _, boxes, arrows = diagrams.DIAGRAMS[name]
    ends = [end for arrow in arrows.split() for end in re.split("[>|]", arrow)]
    assert set(ends) == set(boxes)
    for one, other in itertools.combinations(map(diagrams.place, boxes.values()), 2):
        assert abs(one[0] - other[0]) >= diagrams.WIDTH or abs(one[1] - other[1]) > diagrams.HEIGHT / 2


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_every_box_has_its_words_and_the_picture_says_which_leads_where(name, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt, drawing: shown.append((fig, alt)))
    diagrams.show(name)
    ((fig, alt),) = shown
    title, boxes, arrows = diagrams.DIAGRAMS[name]
    assert [text.get_text() for text in fig.axes[0].texts if text.get_text()] == [box.text for box in boxes.values()]
    assert alt.startswith(title) and alt.count(" to ") + alt.count(" and ") >= len(arrows.split())
    assert len(alt) <= alt_text.LONGEST and "\n" not in alt


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_no_arrow_crosses_a_box(name):
    _, boxes, arrows = diagrams.DIAGRAMS[name]
    for arrow in arrows.split():
        ends = re.split("[>|]", arrow)
        (x, y), (right, low) = (diagrams.place(boxes[end]) for end in ends)
        corners = [(x, y), (x, low), (right, low)] if "|" in arrow else [(x, y), (right, low)]
        way = np.concatenate([np.linspace(*leg, 100) for leg in itertools.pairwise(corners)])
        for box in (box for key, box in boxes.items() if key not in ends):
            apart = abs(way - diagrams.place(box))
            assert not ((apart[:, 0] < diagrams.WIDTH / 2) & (apart[:, 1] < diagrams.HEIGHT / 2)).any(), (arrow, box)


@pytest.mark.parametrize("name", diagrams.DIAGRAMS)
def test_words_stay_inside_their_boxes(name, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "show", lambda fig, alt, drawing: shown.append(fig))
    diagrams.show(name)
    shown[0].draw_without_rendering()
    patches = [patch.get_window_extent() for patch in shown[0].axes[0].patches]
    words = [Text.get_window_extent(text) for text in shown[0].axes[0].texts if text.get_text()]
    assert all(box.x0 < word.x0 and word.x1 < box.x1 for box, word in zip(patches, words, strict=True))


def test_what_compares_with_the_image_is_shown_it():
    for name, loss in {"autoencoder": "loss", "vae": "nll", "beta_vae": "distortion", "flow_vae": "nll"}.items():
        assert f"x|{loss}" in diagrams.DIAGRAMS[name].arrows or f"x>{loss}" in diagrams.DIAGRAMS[name].arrows
    assert "x|nll" in diagrams.DIAGRAMS["vqvae"].arrows


def test_a_drawing_is_svg_that_never_changes_and_png_for_who_does_not_trust_it(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: shown.append((data, metadata)))
    diagrams.show("vae")
    diagrams.show("vae")
    (first, about), (second, _) = shown
    assert first == second and set(first) == {"image/svg+xml", "image/png", "text/plain"}
    svg = ElementTree.fromstring(first["image/svg+xml"])
    assert svg.get("role") == "img" and svg.get("aria-label") == about["image/png"]["alt"]
    words = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert words >= {box.text for box in diagrams.DIAGRAMS["vae"].boxes.values()}
    assert len(first["image/svg+xml"]) < 20_000 and "fill: #ffffff" in first["image/svg+xml"]
    assert not any(tag in first["image/svg+xml"] for tag in ("<script", "<image", "onload", "<dc:date"))
