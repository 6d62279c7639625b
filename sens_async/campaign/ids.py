"""A batch's id: its campaign's and the place in the input of its first recipient.

No place is in two batches, so ids are unique, and a campaign's batches are in input order.
"""

__all__ = ["PLACE_BITS", "batch_id", "first_index", "ids_of"]

PLACE_BITS = 32
"""Of the place: a campaign has at most four billion recipients."""


def batch_id(campaign_id: int, index: int) -> int:
    """Give the id of the batch whose first recipient has a place, counted from 0."""
    return campaign_id << PLACE_BITS | index


def first_index(number: int) -> int:
    """Give the place of a batch's first recipient."""
    return number & (1 << PLACE_BITS) - 1


def ids_of(campaign_id: int) -> tuple[int, int]:
    """Give the lowest and the highest id that a campaign's batches can have."""
    return batch_id(campaign_id, 0), batch_id(campaign_id + 1, 0) - 1
