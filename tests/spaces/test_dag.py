from vitruvius.spaces import DAG, DeclaredSpace, ProductSpace, space


def test_marks_and_roles_are_exchanged() -> None:
    dag = space("nasbench201").dag((0, 1, 2, 3, 4, 0))
    graph, data = dag.to_networkx(), dag.to_pyg()
    assert (dag.inputs, dag.outputs) == ((0,), (3,))
    assert [graph.nodes[i]["input"] for i in graph] == data.input_mask.tolist()
    assert [graph.nodes[i]["output"] for i in graph] == data.output_mask.tolist()
    assert (graph.edges[0, 1]["role"], graph.edges[0, 2]["role"]) == ("absent", "identity")
    assert [graph.edges[i, j]["role"] for i, j in data.edge_index.T.tolist()] == data.edge_role


def test_what_is_not_marked_is_where_edges_begin_and_end() -> None:
    dag = DAG(("a", "b", "c", "d"), {(1, 2): "", (1, 3): ""})
    assert (dag.inputs, dag.outputs) == ((1,), (2, 3))
    assert DAG(("a", "b"), {(0, 1): ""}, inputs=(1,)).inputs == (1,)


def test_marks_need_not_be_first_and_last() -> None:
    declared = DeclaredSpace(
        {
            "name": "s",
            "nodes": ["weights", "image", "sum", "side"],
            "skeleton": [[0, 2], [1, 2], [1, 3]],
            "inputs": [1],
            "outputs": [2],
            "variables": [
                {"name": "op", "choices": ["x", "zero"], "kind": "op", "place": [2]}
                | {"roles": {"zero": "absent"}},
                {"name": "size", "choices": [1, 2], "kind": "size", "place": [2]},
            ],
        }
    )
    dag = declared.dag((1, 0))
    assert (dag.inputs, dag.outputs, dag.role(2), dag.role(3)) == ((1,), (2,), "absent", "op")
    pair = ProductSpace(name="pair", parts={"a": declared, "b": declared})
    dag = pair.dag((0, 0, 1, 0))
    assert (dag.inputs, dag.outputs, dag.roles) == ((1, 5), (2, 6), {(6,): "absent"})
    assert (pair.inputs, pair.outputs) == (dag.inputs, dag.outputs)
