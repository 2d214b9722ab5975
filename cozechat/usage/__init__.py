"""What calls cost: prices, balances, budgets, and the records of it all."""
