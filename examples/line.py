"""A line, published: run it, look at the page it opens, change it and run it again."""

from bokeh_server.plotting import figure, output_server, show

output_server("line")

p = figure(width=400, height=400)
p.line([1, 2, 3, 4, 5], [6, 7, 2, 4, 5], line_width=2, name="ex_line")
show(p)
