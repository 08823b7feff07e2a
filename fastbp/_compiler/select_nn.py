"""How products, activations, losses and sums over the batch are written into a program."""

from fastbp._compiler import partitioning, ranges
from fastbp._compiler.program import Operand, Operation
from fastbp._compiler.select_elementwise import Rules, lines
from fastbp._ir.node import layout


class RulesOfRows(Rules):
    """The methods of a lowering for what networks are made of, and for sums over the batch."""

    # ---- products --------------------------------------------------------------------------------------------------

    def lower_dense(self, node):
        x, W = node.inputs[:2]
        readers = self.consumers[id(node)]
        activation = next((reader for reader in readers if reader.op == "activation"), None)
        name, out, kept = "linear", node, None
        if activation is not None:
            name, out = activation.activation, activation
            if len(readers) > 1 or node in self.wanted:
                kept = self.place(node)
        if node is self.cut:
            return self.lower_cut(node, name, out, kept)
        bytes_ = W.size * self.itemsize
        large = (
            self.tiles and W.op == "parameter" and bytes_ > partitioning.PANEL_BYTES and self.program.batch > self.panel
        )
        self.emit(
            "dense",
            kernel=f"{name}_forward",
            out=self.place(out),
            kept=kept,
            x=self.values[x],
            W=self.matrix(W),
            bias=self.values[node.inputs[2]] if len(node.inputs) == 3 else None,
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if large else None,
            panels_size=self.panels_size(*W.shape),
            strips=partitioning.strips(self.program.batch, W.shape[1]),
            ahead=self.ask_ahead(x),
        )

    def lower_cut(self, node, name, out, kept):
        """The product of each share, which are added up before the activation."""
        (x, W), units = node.inputs[:2], node.inputs[1].width
        terms = []
        for number, begin, columns in self.shares:
            terms.append(self.value("shared", units, padded=False))
            self.emit(
                "dense",
                share=number,
                out=terms[-1],
                x=self.share_columns[number],
                W=self.part(self.values[W], begin * units, units, rows=columns),
                n_in=columns,
                n_out=units,
                ahead=self.ask_ahead(x),
            )
        place = self.place(out)
        for a, b in zip([terms[0], *[place] * (len(terms) - 2)], terms[1:], strict=True):
            self.emit("map", kernel="add", out=place, n_out=units, a=Operand(a, True, 1), b=Operand(b, True, 1))
        bias = self.values[node.inputs[2]] if len(node.inputs) == 3 else None
        self.emit("activate", kernel=f"{name}_forward", out=place, kept=kept, x=place, bias=bias, n_out=units)

    def lower_activation(self, node):
        if node in self.values:  # the product made it
            return
        kernel, x = f"{node.activation}_forward", self.values[node.inputs[0]]
        self.emit("activate", kernel=kernel, out=self.place(node), x=x, **lines(node))

    def lower_activation_gradient(self, node):
        dy, v = (self.values[child] for child in node.inputs)
        kernel = f"{node.activation}_backward"
        self.emit("activation_gradient", kernel=kernel, out=self.place(node), x=v, y=dy, **lines(node))

    def lower_input_gradient(self, node):
        dz, W = node.inputs
        self.emit(
            "input_gradient",
            out=self.place(node),
            y=self.values[dz],
            W=self.matrix(W),
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if self.tiles and W.op == "parameter" else "own",
            panels_size=self.panels_size(W.shape[1], W.shape[0]),
            strips=partitioning.strips(self.program.batch, W.shape[0]),
        )

    def lower_outer(self, node):
        out, pairs, besides = self.place(node), 2 * node.pairs, None
        for other in node.inputs[pairs:]:
            besides = Operand(self.values[other] if other.batched else self.matrix(other), other.batched, 1)
        for x, dz in zip(node.inputs[:pairs:2], node.inputs[1:pairs:2], strict=True):
            self.emit(
                "outer",
                kernel="multiply_add" if besides else "multiply",
                out=out,
                x=self.values[x],
                y=self.values[dz],
                c=besides,
                n_in=x.size,
                n_out=dz.size,
            )
            besides = Operand(out, True, 1)

    def lower_matmul(self, node):
        A, B = node.inputs
        self.emit(
            "matmul",
            fixed=True,
            out=self.place(node),
            x=self.matrix(A),
            y=self.matrix(B),
            rows=node.rows,
            n_in=A.shape[1],
            n_out=node.width,
        )

    def lower_transpose(self, node):
        A = node.inputs[0]
        self.emit(
            "transpose",
            fixed=True,
            kernel="copy",
            out=self.place(node),
            x=self.matrix(A),
            rows=node.rows,
            n_out=node.width,
        )

    def lower_gather(self, node):
        table, index = node.inputs
        self.emit(
            "embed", kernel="embed", out=self.place(node), x=self.values[index], W=self.matrix(table), n_out=node.size
        )

    def lower_dropout(self, node):
        x = node.inputs[0]
        if not self.training:
            if node in self.results:
                self.copied(node, x)
            else:
                self.values[node] = self.values[x]
            return
        self.emit(
            "dropout",
            kernel="dropout",
            out=self.place(node),
            x=self.values[x],
            n_out=node.size,
            param=node.rate,
            number=self.masks[node.mask],
        )

    def panels_size(self, k, n):
        return k * -(-n // self.panel) * self.panel

    # ---- sums over the batch ---------------------------------------------------------------------------------------

    def by_range(self, node):
        """Whether a sum that is a parameter's whole gradient is made by range, from the rows of the whole batch."""
        destination = self.destinations[node]
        return self.tiles and destination.whole and ranges.by_range(node, destination.parameter)

    def lower_weight_gradient(self, node):
        x, dz = node.inputs
        fields = {"y": self.values[dz], "n_out": dz.size, "partial_ld": dz.size, "ahead": self.ask_ahead(x)}
        if self.cut is not None and x is self.cut.inputs[0]:
            for number, begin, columns in self.shares:
                share = Operation("weight_gradient", x=self.share_columns[number], n_in=columns, **fields)
                self.make_by_range(self.cut.inputs[1], share, begin, columns)
            return
        strips = partitioning.strips(x.size, dz.size)
        self.sum_up(node, Operation("weight_gradient", x=self.values[x], n_in=x.size, strips=strips, **fields))

    def make_by_range(self, parameter, operation, first, rows):
        """Rows [first, first + rows) of a parameter's gradient are made from the whole batch, range by range."""
        self.sources[parameter].operations.append((len(self.program.gradients), first, rows))
        self.program.gradients.append(operation)

    def lower_batch_sum(self, node):
        x = node.inputs[0]
        fields = self.factors(x)
        self.sum_up(
            node,
            Operation(
                "batch_sum", kernel="sum_product", n_out=x.size, partial_ld=x.size, y=fields["a"].value, **fields
            ),
        )

    def factors(self, x):
        """The operands of a sum over x: x itself, or the factors of a product that is made nowhere else."""
        if x not in self.absorbed:
            return {"a": Operand(self.values[x], True, 1)}
        nodes = x.inputs * 2 if x.op == "square" else x.inputs
        steps = layout(True, x.shape, nodes)[2]
        return dict(zip("ab", self.read(x, nodes, steps), strict=True))

    def lower_scatter(self, node):
        dy, index = node.inputs
        self.sum_up(
            node,
            Operation(
                "scatter",
                kernel="scatter_add",
                x=self.values[index],
                y=self.values[dy],
                n_in=node.shape[0],
                n_out=node.shape[1],
                partial_ld=node.shape[1],
            ),
        )

    def sum_up(self, node, operation):
        """Puts a sum over the batch where it is wanted: a parameter's gradient, or a fixed value of the next sweep."""
        destination = self.destinations.get(node)
        if destination is not None and self.by_range(node):
            self.make_by_range(destination.parameter, operation, 0, destination.parameter.size)
            return
        rows = self.rows_lists[self.now]
        if destination is None:
            operation.partial, zero = self.extra(node.size), node.op == "scatter"
            self.emit(
                "combine",
                fixed=True,
                at=self.now + 1,
                kernel="combine",
                out=self.place(node),
                rows=1,
                n_out=node.size,
                partial=operation.partial,
            )
        else:
            source, parameter = self.sources[destination.parameter], destination.parameter
            # several sums, or sums of parts, are added to zeros
            zero = source.partial is None and not (len(source.sums) == 1 and destination.whole and node.op != "scatter")
            if source.partial is None:
                source.partial = self.extra(parameter.size) if self.tiles else self.offsets[parameter]
            operation.partial, operation.partial_ld = source.partial + destination.offset, destination.ld
            if zero:
                self.rows_lists[0].insert(0, Operation("zero", partial=source.partial, n_out=parameter.size))
            operation.begins = len(source.sums) == 1 and destination.whole and node.op != "scatter"
            self.program.partials = True
            rows.append(operation)
            return
        if zero:
            rows.append(Operation("zero", partial=operation.partial, n_out=node.size))
        operation.begins = not zero
        rows.append(operation)

    def extra(self, size):
        """Room for `size` more sums in the slices' vectors, beside those of the parameters."""
        self.program.extra += size
        return self.program.size + self.program.extra - size

    def lower_total(self, node):
        x = node.inputs[0]
        scale = node.scale / float(self.program.batch) ** node.per_batch
        self.emit("total", kernel="total", n_out=x.size, scale=scale, sums=self.new_sum(node), **self.factors(x))
        self.finish_sum(node)

    def lower_loss(self, node):
        self.make_loss(node)
        self.finish_sum(node)

    def lower_loss_gradient(self, node):
        self.make_loss(node.loss)
        self.values[node] = self.losses[node.loss]

    def make_loss(self, node):
        """The loss and its gradient, which are made together, once."""
        if node in self.losses:
            return
        y, target, *weights = node.inputs
        function, labels = node.function, bool(target.attributes.get("integer"))
        out = self.value(self.rows_mode, y.size) if node in self.has_gradient else None
        self.losses[node] = out
        self.emit(
            "loss",
            kernel=f"{function.kernel(labels)}_loss",
            out=out,
            x=self.values[y],
            y=self.values[target],
            w=self.touching(self.values[weights[0]]) if weights else None,
            n_out=y.size,
            param=function.param,
            scale=function.scale(node.samples or self.program.batch, y.size),
            sums=self.new_sum(node),
        )

    def lower_right(self, node):
        y, target = node.inputs
        labels = target.attributes.get("integer")
        kernel = "right_labels" if labels else {"class": "right_classes", "answers": "right_answers"}[node.question]
        fields = {"x": self.values[y], "y": self.values[target], "n_out": y.size, "scale": 1.0}
        self.emit("right", kernel=kernel, sums=self.new_sum(node), **fields)

    def new_sum(self, node):
        self.sums[node] = self.program.sums
        self.program.sums += 1
        return self.sums[node]

    def finish_sum(self, node):
        """The total of all slices as a fixed value, where anything reads it."""
        if self.consumers[id(node)] or node in self.wanted:
            self.emit("finish_total", fixed=True, at=self.now + 1, out=self.place(node), rows=1, sums=self.sums[node])

    def lower_penalty(self, node):
        """A range's penalty is added, and its gradient too, while the range is warm: see updates.finish_gradient."""

    def lower_penalty_gradient(self, node):
        """See lower_penalty."""
