"""From everything on sale to one page: sources, pre-ranking, ranking, auction, mixing; stock, models and the trace."""
