"""How many slips of a keyboard lie between two texts."""


def edit_distance(written: str, meant: str, limit: int) -> int | None:
    """How many letters were added, left out, replaced or swapped with their neighbour; None above ``limit``.

    The optimal string alignment distance, on what is left of both without their common beginning and end.
    """
    if abs(len(written) - len(meant)) > limit:
        return None
    start, end = 0, min(len(written), len(meant))
    while start < end and written[start] == meant[start]:
        start += 1
    tail = 0
    while tail < end - start and written[-1 - tail] == meant[-1 - tail]:
        tail += 1
    written, meant = written[start : len(written) - tail], meant[start : len(meant) - tail]
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(written, 1):
        two_before, before, row = before, row, [i]
        for j, other in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and written[i - 2] == other:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
