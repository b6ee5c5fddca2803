"""Networks and pixel models that several sources share, and the cover that a mask makes."""
