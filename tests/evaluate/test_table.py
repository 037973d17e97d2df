from graphcl.evaluate import Result, format_table


def row(dataset="MUTAG", method="GraphCL", protocol="tu-rbf-svm", **change):
    scores = {"mean": 88.256, "std": 0.5, "std_folds": 7.0, "seeds": 5, "folds": 10, "n_test": 188}
    return Result(dataset=dataset, method=method, protocol=protocol, **(scores | change))


LIFT = {"lift": 0.4, "lift_low": -1.2, "lift_high": 2.0}


def test_columns_are_aligned_and_empty_cells_dashed():
    text = format_table([row(method="untrained", std=None, std_folds=None), row(**LIFT, p=0.5)]).splitlines()
    assert text[0] == "MUTAG, tu-rbf-svm: accuracy in %, 5 seeds x 10 folds, 188 graphs"
    assert len({len(line) for line in text[1:]}) == 1
    assert text[2].split() == ["untrained", "88.26", "-", "-", "-"]
    assert text[3].split() == ["GraphCL", "88.26", "±", "0.50", "7.00", "+0.40", "[-1.20,", "+2.00]", "0.5000"]


def test_blocks_by_data_set_features_and_protocol():
    text = format_table([row(), row(protocol="tu-linear-svm"), row(method="raw"), row(features="degree")])
    assert text.count("188 graphs") == 3
    assert "MUTAG, features degree, tu-rbf-svm:" in text
    assert text.index("raw") < text.index("tu-linear-svm")


def test_p_is_corrected_over_data_sets_for_each_method():
    rows = [row(dataset=name, **LIFT, p=p) for name, p in (("A", 0.01), ("B", 0.04), ("C", 0.03))]
    rows.append(row(dataset="A", method="wl", **LIFT, p=0.02))
    lines = format_table(rows).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("GraphCL")] == ["0.0300", "0.0600", "0.0600"]
    assert [line.split()[-1] for line in lines if line.startswith("wl")] == ["0.0200"]
    assert "p (Holm)" in lines[1]
    one = [row(features=name, **LIFT, p=p) for name, p in (("degree", 0.01), ("constant", 0.5))]
    lines = format_table(one).splitlines()  # one data set with features of two kinds: tested twice
    assert "p (Holm)" in lines[1] and lines[2].split()[-1] == "0.0200"
    assert "(Holm)" not in format_table([row(dataset="A", **LIFT, p=0.1), row(dataset="B", method="wl", **LIFT, p=0.1)])


def test_runs_and_single_looks_are_called_what_they_are():
    heads = {
        "graph-knn": "accuracy in %, 5 seeds x 10 folds, 188 graphs",
        "graph-kmeans": "accuracy in %, 5 seeds x 10 runs, 188 graphs",
        "graph-retrieval": "accuracy in %, 5 seeds, 188 graphs",
        "kmeans": "accuracy in %, 5 seeds x 10 runs, 188 nodes a split",
    }
    for name, words in heads.items():
        assert format_table([row(protocol=name)]).splitlines()[0] == f"MUTAG, {name}: {words}"


def test_rows_of_other_seeds_or_splits_have_a_header_of_their_own():
    rows = [row(split_hash="0a"), row(method="raw", split_hash="0a"), row(method="SimGRACE", seeds=2, split_hash="1b")]
    heads = [line for line in format_table(rows).splitlines() if line.startswith("MUTAG")]
    assert heads == [
        "MUTAG, tu-rbf-svm: accuracy in %, 5 seeds x 10 folds, 188 graphs, split 0a",
        "MUTAG, tu-rbf-svm: accuracy in %, 2 seeds x 10 folds, 188 graphs, split 1b",
    ]
    for change in ({"seeds": 2}, {"folds": 5}, {"n_test": 99}, {"split_hash": "1b"}):
        assert format_table([row(), row(method="raw", **change)]).count("± over seeds") == 2


def test_the_title_says_what_is_noted_of_all_rows():
    few = "3 of 12 tasks without a score"
    rows = [row(selected_by=few), row(method="raw", selected_by=f"fixed epoch; {few}")]
    assert format_table(rows).splitlines()[0].endswith(f"188 graphs, {few}")
    assert format_table(rows[1:]).splitlines()[0].endswith(f"188 graphs, fixed epoch, {few}")


def test_no_rows():
    assert format_table([]) == "no results"


def test_what_rounds_to_zero_has_no_sign():
    text = format_table([row(mean=-1e-9, std=None, lift=-3.55e-16, lift_low=-1.0, lift_high=0.004, p=1.0)])
    assert text.splitlines()[-1].split()[1:6] == ["0.00", "7.00", "0.00", "[-1.00,", "0.00]"]
