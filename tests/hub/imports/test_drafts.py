from hub.imports.drafts import ImportReport, SkippedLine


def test_skipped_lines_are_counted_by_code_the_most_frequent_first():
    skipped = tuple(
        SkippedLine(line, "x", code, "") for line, code in enumerate(["A", "B", "B", "C", "B", "A"])
    )
    report = ImportReport(taken=0, changed=(), skipped=skipped, total_lines=6)
    assert list(report.counts().items()) == [("B", 3), ("A", 2), ("C", 1)]
