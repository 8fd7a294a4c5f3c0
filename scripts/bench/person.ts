/** One of many people of a firm, as iManage knows them: names as long as people's are. */
export const personOf = (i: number) => {
  const number = String(i).padStart(7, "0");
  return { id: `user.${number}`, name: `Amelia Hart ${number}`, email: `user.${number}@meridian.example` };
};
