"""Studies: what a paper's method gains, by how strong the phenomenon is that it feeds on; one declaration a paper."""
