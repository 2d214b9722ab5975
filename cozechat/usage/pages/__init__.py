"""What users see of their money: the usage page with its log and file, the balance page, the JSON beside them."""
