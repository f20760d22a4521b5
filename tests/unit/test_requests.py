"""Requests go through a row of the database and come back the same."""

import json

from hypothesis import given
from hypothesis import strategies as st

from anello.options import Finger, Options
from anello.service.requests import Reference, RingRequest, TaskRequest

fractions = st.floats(0, 1)
points = st.tuples(st.floats(-9e3, 9e3), st.floats(-9e3, 9e3))
options = st.builds(
    Options,
    finger=st.none() | st.sampled_from(Finger),
    location=fractions,
    shadow=fractions,
    ambient=fractions,
    anchors=st.none() | st.tuples(points, points).filter(lambda pair: pair[0] != pair[1]),
    remove_background=st.booleans(),
)
references = st.builds(Reference, kind=st.sampled_from(["url", "id"]), value=st.text(min_size=1))
rings = st.builds(RingRequest, image=references, mask=st.none() | references, options=options)
requests = st.builds(
    TaskRequest,
    hand=references,
    hand_mask=st.none() | references,
    rings=st.lists(rings, min_size=1, max_size=5).map(tuple),
)


@given(requests)
def test_a_request_survives_json(request: TaskRequest) -> None:
    plain = request.to_json()
    assert TaskRequest.from_json(json.loads(json.dumps(plain))) == request
    assert json.loads(json.dumps(plain)) == plain


def test_file_ids_are_those_of_pictures_and_masks_alike() -> None:
    def by_id(value: str) -> Reference:
        return Reference("id", value)

    request = TaskRequest(
        by_id("hand"),
        by_id("hand mask"),
        (
            RingRequest(by_id("ring"), None, Options()),
            RingRequest(by_id("ring"), by_id("ring mask"), Options()),
            RingRequest(Reference("url", "https://e.com"), None, Options()),
        ),
    )
    assert request.file_ids() == {"hand", "hand mask", "ring", "ring mask"}
