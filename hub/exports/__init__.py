"""What resolvers and other machines are given: files made of the blocks in force."""
